//! One request: forwarded, with at most one fault.

use crate::{
    Fault, error_answer,
    message::{Answer, CompleteRequest},
    shared::Shared,
};
use bytes::Bytes;
use hyper::{HeaderMap, Method, StatusCode};
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// How many later requests are answered before an answer that was held back.
const OVERTAKING: u64 = 2;

/// The answer to a request; `None` if the connection is closed without one.
pub(crate) async fn serve(shared: &Arc<Shared>, request: CompleteRequest) -> Option<Answer> {
    let in_flight = shared.begin();
    let answer = match shared.draw_fault(&request) {
        None => {
            let answer = shared.forward(&request).await;
            let _ = shared.older_answer(&request, &answer);
            Some(answer)
        }
        Some(fault) => serve_with(shared, fault, request).await,
    };
    shared.answered.send_modify(|answered| *answered += 1);
    drop(in_flight);
    answer
}

async fn serve_with(shared: &Arc<Shared>, fault: Fault, request: CompleteRequest) -> Option<Answer> {
    let is_put = request.method == Method::PUT;
    let (late, too_late) = {
        let state = shared.state();
        (state.plan.late, state.plan.too_late)
    };
    // Faults before the request is forwarded.
    match fault {
        Fault::RequestLost => {
            count(shared, fault);
            return None;
        }
        Fault::RequestTooLate => {
            count(shared, fault);
            sleep(too_late).await;
        }
        Fault::ErrorNotApplied => return Some(error_answer(shared, fault, &request)),
        Fault::FalseAcknowledgement if is_put => {
            count(shared, fault);
            let mut answer = Answer::new(StatusCode::OK, HeaderMap::new(), Bytes::new());
            answer.set_tag(Some(wrong_tag(shared)));
            return Some(answer);
        }
        _ => {}
    }
    let mut answer = shared.forward(&request).await;
    let older = shared.older_answer(&request, &answer);
    // Faults of the answer. One that doesn't apply to this answer isn't counted.
    match fault {
        Fault::RequestRepeated => {
            count(shared, fault);
            answer = shared.forward(&request).await;
        }
        Fault::RequestRepeatedLater => {
            count(shared, fault);
            let (shared, in_flight, after) = (shared.clone(), shared.begin(), draw_delay(shared, late));
            tokio::spawn(async move {
                sleep(after).await;
                shared.forward(&request).await;
                drop(in_flight);
            });
        }
        Fault::AnswerLost => {
            count(shared, fault);
            return None;
        }
        Fault::AnswerLate => {
            count(shared, fault);
            sleep(draw_delay(shared, late)).await;
        }
        Fault::AnswerTooLate => {
            count(shared, fault);
            sleep(too_late).await;
        }
        Fault::AnswerTruncated if answer.body.len() > 1 => {
            count(shared, fault);
            answer.truncated = true;
        }
        Fault::AnswerReordered => wait_to_be_overtaken(shared, late).await,
        Fault::ErrorApplied => return Some(error_answer(shared, fault, &request)),
        Fault::WeakTag | Fault::WrongTag | Fault::NoTag => {
            if let Some(tag) = answer.tag() {
                count(shared, fault);
                answer.set_tag(match fault {
                    Fault::WeakTag => Some(format!("W/{tag}")),
                    Fault::WrongTag => Some(wrong_tag(shared)),
                    _ => None,
                });
            }
        }
        Fault::StaleRead | Fault::TagOfLaterVersion => {
            if let Some(mut older) = older {
                count(shared, fault);
                if fault == Fault::TagOfLaterVersion {
                    older.set_tag(answer.tag());
                }
                answer = older;
            }
        }
        _ => {}
    }
    Some(answer)
}

fn count(shared: &Shared, fault: Fault) {
    shared.count(format!("{fault:?}"));
}

/// An error instead of an answer. The tally has its status, too.
fn error_answer(shared: &Shared, fault: Fault, request: &CompleteRequest) -> Answer {
    let answer = error_answer::draw(&mut shared.state().rng, &request.method);
    count(shared, fault);
    shared.count(format!("{fault:?}: {}", answer.status.as_u16()));
    answer
}

fn draw_delay(shared: &Shared, maximum: Duration) -> Duration {
    maximum.mul_f64(f64::from(shared.state().rng.below_u32(1000)) / 1000.0)
}

fn wrong_tag(shared: &Shared) -> String {
    format!("\"wrong-{:08x}\"", shared.state().rng.below_u32(u32::MAX))
}

/// Waits until later requests are answered, for a limited time: there may be none.
async fn wait_to_be_overtaken(shared: &Shared, limit: Duration) {
    let mut answered = shared.answered.subscribe();
    let before = *answered.borrow();
    if timeout(limit, answered.wait_for(|now| *now >= before + OVERTAKING)).await.is_ok() {
        count(shared, Fault::AnswerReordered);
    }
}
