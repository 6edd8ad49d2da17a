//! Who decides which block comes next. Today one validator alone does; several will, behind a feature.

pub mod solo;
