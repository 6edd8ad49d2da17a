//! Who decides: the document by which outsiders follow the validators from genesis on, and how the present ones stand.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use ledger::approval::Approval;
use ledger::succession::{Misbehaviour, ScheduledChange};
use ledger::validators::ValidatorChange;
use serde::Serialize;
use utoipa::ToSchema;

use super::door::Door;
use super::problem::Problem;
use crate::shared::Shared;

/// The validators' changes since genesis (`lamppost/validators@v1`)
///
/// Each change stands with the signatures of more than two thirds of the validators before it, so with the genesis document
/// it tells whose signatures count. `lamppost verify --validators` takes it; while nobody joined or left it says so in two
/// lines.
#[utoipa::path(get, path = "/validators", tag = "log",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn document(State(door): State<Door>) -> Response {
    let text = door.shared().state().handovers().to_string();
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (headers, text).into_response()
}

/// A validator.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValidatorOf {
    /// Its name in signature lines.
    #[schema(example = "city")]
    name: String,
    /// Its verifier key in signed-note form.
    vkey: String,
    /// The same key, in hex.
    public_key: String,
}

/// A change that some validators approve and too few yet.
#[derive(Debug, Serialize, ToSchema)]
pub struct Proposed {
    /// Who joins or leaves, and how.
    #[serde(flatten)]
    change: Change,
    /// Names of the validators that approve it.
    approved_by: Vec<String>,
}

/// Who joins or leaves.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Change {
    /// `add_validator` or `remove_validator`.
    change: &'static str,
    /// The name.
    name: String,
    /// The verifier key of who joins.
    #[serde(skip_serializing_if = "Option::is_none")]
    vkey: Option<String>,
}

impl From<&ValidatorChange> for Change {
    fn from(change: &ValidatorChange) -> Change {
        let name = change.name().to_owned();
        match change {
            ValidatorChange::Add(key) => {
                Change { change: "add_validator", name, vkey: Some(key.to_string()) }
            }
            ValidatorChange::Remove(_) => Change { change: "remove_validator", name, vkey: None },
        }
    }
}

/// A change that was agreed on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Scheduled {
    /// Who joins or leaves, and how.
    #[serde(flatten)]
    change: Change,
    /// The epoch that begins with it.
    from_epoch: u64,
}

/// That a validator contradicted itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shown {
    /// Its name, or the last one it had.
    name: Option<String>,
    /// The key that signed both statements, in hex.
    public_key: String,
    /// What was done twice: `prevotes`, `precommits`, `proposals` or `checkpoints`.
    misbehaviour: &'static str,
    /// The height; of checkpoints the log's size.
    height: u64,
    /// The round; 0 of checkpoints.
    round: u32,
    /// The log entry with both signatures.
    entry_index: u64,
}

/// Who decides, who is to decide, and who contradicted itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValidatorsBody {
    /// How many changes there were: what an approval of the next one names.
    version: u64,
    /// How many must agree: more than two thirds.
    quorum: u64,
    /// The present validators, in their order.
    validators: Vec<ValidatorOf>,
    /// Changes that too few approve yet.
    proposed: Vec<Proposed>,
    /// The change that takes effect when the running epoch ends.
    scheduled: Option<Scheduled>,
    /// Whose contradictions were shown.
    misbehaviours: Vec<Shown>,
}

/// The validators, the changes that are proposed, and what was shown of any
#[utoipa::path(get, path = "/api/v1/validators", tag = "network",
    responses((status = 200, body = ValidatorsBody)))]
pub async fn validators(State(door): State<Door>) -> Result<Json<ValidatorsBody>, Problem> {
    door.query(|shared| Ok(Json(describe(shared)))).await
}

fn describe(shared: &Shared) -> ValidatorsBody {
    let state = shared.state();
    let present = state.validators();
    let shown = |shown: &Misbehaviour| Shown {
        name: state.handovers().known(&shown.validator).map(|key| key.name().to_owned()),
        public_key: shown.validator.to_string(),
        misbehaviour: shown.kind.as_str(),
        height: shown.height,
        round: shown.round,
        entry_index: shown.entry_index,
    };
    let scheduled = |scheduled: &ScheduledChange| Scheduled {
        change: scheduled.change().into(),
        from_epoch: scheduled.from_epoch(),
    };
    ValidatorsBody {
        version: present.version(),
        quorum: present.quorum() as u64,
        validators: present
            .keys()
            .iter()
            .map(|key| ValidatorOf {
                name: key.name().to_owned(),
                vkey: key.to_string(),
                public_key: key.key().to_string(),
            })
            .collect(),
        proposed: proposed(state.validator_approvals()),
        scheduled: state.scheduled_change().map(scheduled),
        misbehaviours: state.misbehaviours().iter().map(shown).collect(),
    }
}

/// The approvals by what they approve, each in the place of the first.
fn proposed(approvals: &[Approval]) -> Vec<Proposed> {
    let mut all: Vec<Proposed> = Vec::new();
    for approval in approvals {
        let (change, name) = (Change::from(approval.change()), approval.validator().name().to_owned());
        match all.iter_mut().find(|proposed| proposed.change == change) {
            Some(proposed) => proposed.approved_by.push(name),
            None => all.push(Proposed { change, approved_by: vec![name] }),
        }
    }
    all
}
