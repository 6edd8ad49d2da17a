//! The deliberate bugs, in the order of a reading's way: each is one that somebody could make.

use super::Mutant;

/// All of them.
pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "new_boot_overtakes_the_old_one",
        path: "firmware/node/src/outbox.rs",
        place: "if «head.sequence.boot != first.boot» || distance",
        altered: "false",
    },
    Mutant {
        name: "bad_signature_is_acknowledged",
        path: "gateway/src/node.rs",
        place: "Input::Verified(verdicts) => «self.take_verdicts(state, now, verdicts, &mut effects)»,",
        altered: "{ for turned in verdicts.iter().filter_map(|verdict| verdict.as_ref().err()) { \
                  let (Some(kid), Some(sequence)) = (turned.kid, turned.sequence) else { continue }; \
                  let window = state.device(kid).map(|device| device.window).unwrap_or_default(); \
                  let settled = self.settled.refuse_for_good(kid, sequence, window).then_some(kid); \
                  effects.extend(self.acknowledge(state, settled.into_iter().collect(), state.log_size())); } \
                  self.take_verdicts(state, now, verdicts, &mut effects) }",
    },
    Mutant {
        name: "acks_with_the_proposal",
        path: "gateway/src/node.rs",
        place: "«self.pending = Some(pending);»",
        altered: "let kids = pending.accepted.iter().map(|(kid, _)| *kid).collect(); \
                  effects.extend(self.acknowledge(state, kids, pending.log_size)); \
                  self.pending = Some(pending);",
    },
    Mutant {
        name: "acks_before_the_write",
        path: "gateway/src/effects.rs",
        place: "let position = «hands.write(&block)?»;\n    drop(changing);",
        altered: "{ let acks = node.durable(&changing); carry_out(hands, acks); hands.write(&block)? }",
    },
    Mutant {
        name: "refused_is_answered_as_durable",
        path: "gateway/src/node.rs",
        place: "let answer = |ticket| (ticket, «Err(submit_error(turned.refused))»);",
        altered: "Ok(Submitted { id: devices::TransactionId([0; 32]), index: 0, height })",
    },
    Mutant {
        name: "full_disk_is_ignored",
        path: "gateway/src/node.rs",
        place: "«!self.is_full» && self.pool.is_none() && (epoch_over",
        altered: "true",
    },
    Mutant {
        name: "fdatasync_left_out",
        path: "gateway/src/log.rs",
        place: "if let Err(source) = «self.file.sync()» {",
        altered: "Ok(())",
    },
    Mutant {
        name: "sync_at_the_start_left_out",
        path: "gateway/src/log.rs",
        place: "«file.sync()».and_then(|()| file.forget_cache())",
        altered: "Ok(())",
    },
    Mutant {
        name: "torn_tail_is_not_cut",
        path: "gateway/src/log.rs",
        place: "if let Some(cut) = &cut {\n            «reader.cut_back(cut)?;»",
        altered: "let _ = cut;",
    },
    Mutant {
        name: "torn_tail_is_cut_too_far",
        path: "gateway/src/log/read.rs",
        place: "file.set_length(«cut.offset»)",
        altered: "cut.offset - 1",
    },
    Mutant {
        name: "acknowledged_end_is_taken_for_torn",
        path: "gateway/src/log.rs",
        place: "Err(LogError::TornTail { file, offset, .. }) if «entries < promised_entries» => {",
        altered: "false",
    },
    Mutant {
        name: "checksum_is_not_looked_at",
        path: "gateway/src/log/scan.rs",
        place: "if «!header.covers(&payload)» {",
        altered: "false",
    },
    Mutant {
        name: "window_is_not_in_the_snapshot",
        path: "ledger/src/state_root.rs",
        place: "writer.unsigned(«device.window.bits()»)",
        altered: "1",
    },
    Mutant {
        name: "window_is_one_too_narrow",
        path: "ledger/src/window.rs",
        place: "Some(back) if «back >= WINDOW_COUNTS» => true,",
        altered: "back + 1 >= WINDOW_COUNTS",
    },
    Mutant {
        name: "refused_instruction_leaves_a_trace",
        path: "ledger/src/execute.rs",
        place: "«self.execute_instruction(instruction).map_err(Refused::Instruction)»?",
        altered: "self.state.totals.instructions += 1; \
                  self.execute_instruction(instruction).map_err(Refused::Instruction)",
    },
    Mutant {
        name: "records_go_to_the_new_owner",
        path: "ledger/src/tally.rs",
        place: "part_of(&mut self.parts, «owner_at(own_time)»)",
        altered: "owner_at(i64::MAX)",
    },
    Mutant {
        name: "epoch_is_paid_again",
        path: "ledger/src/tally.rs",
        place: "let ended = «core::mem::take(self)»;",
        altered: "self.clone()",
    },
    Mutant {
        name: "tariff_one_epoch_early",
        path: "ledger/src/closing.rs",
        place: "= «self.state.settle(self.height, epoch, workers)»;",
        altered: "Arc::make_mut(&mut self.state.tariffs).begin_epoch(epoch); self.state.settle(self.height, epoch, workers)",
    },
    Mutant {
        name: "budgets_are_ignored",
        path: "ledger/src/book.rs",
        place: "(statement.payee, u128::from(«statement.paid_microtokens»));",
        altered: "statement.due_microtokens",
    },
    Mutant {
        name: "remainder_dropped",
        path: "ledger/src/settlement.rs",
        place: "remainder_microtokens: «remainder.expect(\"payouts must never exceed the pool\")»,",
        altered: "0",
    },
    Mutant {
        name: "escrow_is_paid_by_the_pool",
        path: "ledger/src/instructions.rs",
        place: "self.post(«transfer», index).expect(\"an account's whole balance",
        altered: "Transfer { debit: self.state.constants.pool, ..transfer }",
    },
];
