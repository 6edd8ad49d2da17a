//! A 32-bit little-endian ELF file: sections with what is in them, and symbols.

/// Allocated in memory while the program runs (`SHF_ALLOC`).
const FLAG_ALLOCATED: u32 = 2;
/// Zeros that the file leaves out (`SHT_NOBITS`).
const KIND_ZEROS: u32 = 8;
const KIND_SYMBOLS: u32 = 2;
const SECTION_BYTES: usize = 40;
const SYMBOL_BYTES: usize = 16;
/// The kind of a symbol that is a function (`STT_FUNC`).
const SYMBOL_FUNCTION: u8 = 2;
/// Where the RAM of every Cortex-M begins; below it is flash.
const RAM_START: u32 = 0x2000_0000;

/// What stands in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elf<'a> {
    /// What the program has in memory while it runs.
    pub sections: Vec<Section<'a>>,
    /// Everything that has a name.
    pub symbols: Vec<Symbol<'a>>,
}

/// A part of the memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section<'a> {
    /// Where it lies while the program runs.
    pub address: u32,
    /// How long it is.
    pub bytes: u32,
    /// What the file has for it; none where it is not loaded.
    pub content: Option<&'a [u8]>,
}

/// A named place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Its name, as the linker knows it.
    pub name: &'a str,
    /// Where it lies; the lowest bit of a function's is set (Thumb).
    pub address: u32,
    /// How long it is.
    pub bytes: u32,
    /// Whether it is a function.
    pub is_function: bool,
}

/// What an image takes of a chip's memories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Code, constants and the start values of variables.
    pub flash_bytes: u64,
    /// Variables.
    pub static_ram_bytes: u64,
}

impl<'a> Elf<'a> {
    /// Reads the headers; none where it is no such file, or ends too early.
    pub fn parse(bytes: &'a [u8]) -> Option<Elf<'a>> {
        // ELF header: section table at 0x20, bytes a section at 0x2e, sections at 0x30.
        if !bytes.starts_with(b"\x7fELF\x01\x01") || half(bytes, 0x2e)? as usize != SECTION_BYTES {
            return None;
        }
        let (table, count) = (word(bytes, 0x20)? as usize, half(bytes, 0x30)?);
        let header = |index: u32| bytes.get(table + index as usize * SECTION_BYTES..);
        let mut elf = Elf { sections: Vec::new(), symbols: Vec::new() };
        for index in 0..count.into() {
            let section = header(index)?;
            let (kind, flags) = (word(section, 4)?, word(section, 8)?);
            let (address, offset, length) = (word(section, 12)?, word(section, 16)?, word(section, 20)?);
            if kind == KIND_SYMBOLS {
                let names = header(word(section, 24)?)?;
                let names = part(bytes, word(names, 16)?, word(names, 20)?)?;
                let entries = part(bytes, offset, length)?.chunks_exact(SYMBOL_BYTES);
                elf.symbols.extend(entries.filter_map(|entry| symbol(entry, names)));
            }
            if flags & FLAG_ALLOCATED != 0 && length > 0 {
                let content = if kind == KIND_ZEROS { None } else { Some(part(bytes, offset, length)?) };
                elf.sections.push(Section { address, bytes: length, content });
            }
        }
        Some(elf)
    }

    /// What it takes of flash and RAM.
    pub fn size(&self) -> Size {
        let sum = |sections: &mut dyn Iterator<Item = &Section<'_>>| {
            sections.map(|section| u64::from(section.bytes)).sum()
        };
        Size {
            // Variables' start values lie in flash too; zeros lie nowhere.
            flash_bytes: sum(&mut self.sections.iter().filter(|section| section.content.is_some())),
            static_ram_bytes: sum(&mut self.sections.iter().filter(|section| section.address >= RAM_START)),
        }
    }

    /// The symbol of that name.
    pub fn symbol(&self, name: &str) -> Option<Symbol<'a>> {
        self.symbols.iter().find(|symbol| symbol.name == name).copied()
    }

    /// What the file has for an address.
    pub fn content_at(&self, address: u32, bytes: u32) -> Option<&'a [u8]> {
        self.sections.iter().find_map(|section| {
            let offset = address.checked_sub(section.address)?;
            part(section.content?, offset, bytes)
        })
    }
}

fn symbol<'a>(entry: &[u8], names: &'a [u8]) -> Option<Symbol<'a>> {
    let name = names.get(word(entry, 0)? as usize..)?;
    let name = &name[..name.iter().position(|byte| *byte == 0)?];
    Some(Symbol {
        name: std::str::from_utf8(name).ok()?,
        address: word(entry, 4)?,
        bytes: word(entry, 8)?,
        is_function: entry[12] & 0xf == SYMBOL_FUNCTION,
    })
}

fn part(bytes: &[u8], offset: u32, length: u32) -> Option<&[u8]> {
    bytes.get(offset as usize..)?.get(..length as usize)
}

/// The little-endian word at `at`.
pub fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The little-endian half word at `at`.
pub fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_elf_file_is_not_read() {
        assert_eq!(Elf::parse(b"\x7fELF"), None);
        assert_eq!(Elf::parse(b"\x7fELF\x01\x01 and no more"), None);
    }

    #[test]
    fn zeros_take_ram_and_no_flash() {
        let mut file = vec![0; 0x40 + 3 * SECTION_BYTES + 108];
        file[..6].copy_from_slice(b"\x7fELF\x01\x01");
        (file[0x20], file[0x2e], file[0x30]) = (0x40, 40, 3);
        let content = 0x40 + 3 * 40;
        // Kind, flags, address (its highest byte), offset, length: text, variables with values, variables of zero.
        for (index, (kind, high, length)) in
            [(1, 0, 100), (1, 0x20, 8), (8, 0x20, 50)].into_iter().enumerate()
        {
            let section = 0x40 + index * 40;
            (file[section + 4], file[section + 8], file[section + 15]) = (kind, 2, high);
            (file[section + 16], file[section + 20]) = (content as u8, length);
        }
        let elf = Elf::parse(&file).expect("an ELF file");
        assert_eq!(elf.size(), Size { flash_bytes: 108, static_ram_bytes: 58 });
        assert_eq!(elf.content_at(98, 2).map(<[u8]>::len), Some(2));
        assert_eq!(elf.content_at(99, 2), None);
    }
}
