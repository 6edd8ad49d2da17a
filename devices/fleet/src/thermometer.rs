//! A simulated I2C bus with a TMP105 on it: the firmware's driver reads it as it reads the chip.
use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};

/// Where the thermometer answers on its bus.
pub const ADDRESS: u8 = 0x48;

const REGISTER_TEMPERATURE: u8 = 0;
const REGISTERS: usize = 4;

/// The bus and the chip: four registers behind a pointer (TMP105 data sheet, register map).
#[derive(Debug, Default)]
pub struct ThermometerBus {
    sixteenths: i16,
    registers: [[u8; 2]; REGISTERS],
    pointer: u8,
}

impl ThermometerBus {
    /// Lets the chip feel a temperature, in thousandths of a degree Celsius, rounded down to its sixteenths.
    pub fn set_millicelsius(&mut self, millicelsius: i32) {
        let sixteenths = (i64::from(millicelsius) * 16).div_euclid(1000);
        self.sixteenths = sixteenths.clamp(-55 * 16, 128 * 16 - 1) as i16;
    }

    fn register(&self) -> [u8; 2] {
        match self.pointer {
            REGISTER_TEMPERATURE => (self.sixteenths << 4).to_be_bytes(),
            pointer => self.registers[usize::from(pointer) % REGISTERS],
        }
    }

    fn write_bytes(&mut self, bytes: &[u8]) {
        let Some((pointer, content)) = bytes.split_first() else { return };
        self.pointer = pointer % REGISTERS as u8;
        let register = &mut self.registers[usize::from(self.pointer)];
        register.iter_mut().zip(content).for_each(|(place, byte)| *place = *byte);
    }
}

impl ErrorType for ThermometerBus {
    type Error = ErrorKind;
}

impl I2c for ThermometerBus {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        if address != ADDRESS {
            return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
        }
        for operation in operations {
            match operation {
                Operation::Write(bytes) => self.write_bytes(bytes),
                Operation::Read(bytes) => {
                    let register = self.register();
                    bytes.iter_mut().zip(register.iter().cycle()).for_each(|(place, byte)| *place = *byte);
                }
            }
        }
        Ok(())
    }
}
