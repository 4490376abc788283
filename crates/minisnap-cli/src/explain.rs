//! The advice about an error of the library, with what can be found out about the store.

use crate::{
    args::StoreArgs,
    commands::show::health,
    exit::{Exit, Failure},
    help::{self, Left},
    library,
    open_store::Place,
};
use minisnap::{Generation, MiniSnapError};

/// The same failure with advice about the one of these stores that it is about.
pub(crate) async fn explain_in(failure: Failure, stores: &[StoreArgs]) -> Failure {
    let Some(error) = failure.unexplained() else { return failure };
    let places = stores.iter().filter_map(|store| Place::of(store).ok());
    let is_about = |place: &Place| error.at().location().starts_with(place.name());
    // Of two of which one lies in the other, the inner one. What lies in neither is a folder above the last, in which a
    // command writes.
    match places.max_by_key(|place| if is_about(place) { place.name().len() } else { 0 }) {
        Some(place) => explain(failure, &place).await,
        None => match help::without_store(error) {
            Some(help) => failure.advice(help),
            None => failure,
        },
    }
}

/// The same failure with advice about this store.
pub(crate) async fn explain(failure: Failure, place: &Place) -> Failure {
    let Some(error) = failure.unexplained() else { return failure };
    if library::exit(error) != Exit::Corrupt {
        let advice = help::help(error, place);
        return failure.advice(advice);
    }
    let left = left(error, place).await;
    let advice = help::of_corruption(error, place, &left);
    failure.advice(advice).with_intact(left.intact)
}

/// What is left of the store.
async fn left(error: &MiniSnapError, place: &Place) -> Left {
    let history = place.history_if_any().await.unwrap_or_default();
    let (intact, unconfirmed) = match error {
        MiniSnapError::Corrupt { intact, unconfirmed, .. } => (intact.clone(), unconfirmed.clone()),
        _ => (intact(place, &history).await, Vec::new()),
    };
    Left { current: history.into_iter().next(), intact, unconfirmed }
}

async fn intact(place: &Place, history: &[Generation]) -> Vec<Generation> {
    let mut intact = Vec::new();
    for generation in history {
        if health(place, generation).await.is_ok() {
            intact.push(generation.clone());
        }
    }
    intact
}
