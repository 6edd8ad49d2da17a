//! Which threads wait for which when all cores are busy: those that verify signatures stand behind those that answer.

/// How far behind, in the scheduler's nice values: a thread of weight 2 beside others of weight 5. Further, and a broker
/// that is busy makes verification wait, so that acks come late; less far, and queries wait for it.
const BEHIND: i32 = 4;

/// Puts the calling thread behind the others. Verification takes every core it gets, in stretches of milliseconds, so
/// whoever asks the node something, and whoever holds the state to execute a block, would wait for it again and again.
pub fn stand_behind() {
    // Linux gives each thread a nice value of its own; where that is refused, the thread is as good as the others.
    if let Err(error) = rustix::process::setpriority_process(None, BEHIND) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}
