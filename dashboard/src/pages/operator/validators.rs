//! Who signs the log's checkpoints.

use askama::Template;

use super::Rooms;
use crate::names;
use crate::numbers;
use crate::pages::Shell;
use crate::pages::agreement::AgreementPart;
use crate::view::Validators;

/// The page of the validators.
#[derive(Debug, Template)]
#[template(path = "operator_validators.html")]
pub struct ValidatorsPage {
    shell: Shell,
    rooms: Rooms,
    answer: Validators,
    agreement: Option<AgreementPart>,
}

crate::pages::is_a_page!(ValidatorsPage);

impl ValidatorsPage {
    /// The page of what the view answered.
    pub fn new(mut answer: Validators) -> Self {
        let network = std::mem::take(&mut answer.network);
        let agreement = AgreementPart::of(&network);
        let shell = Shell::new("Validators", "/operator/validators", network, false);
        Self { shell, rooms: Rooms::at("/operator/validators"), answer, agreement }
    }

    fn count(&self) -> u64 {
        self.answer.validators.len() as u64
    }

    fn signed(&self) -> u64 {
        self.answer.validators.iter().filter(|one| one.has_signed).count() as u64
    }
}
