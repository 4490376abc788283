//! Adds the help to an error of the library. The help depends on the state of the store, which is read here.

use crate::{
    args::StoreArgs,
    commands::show::health,
    exit::{Exit, Failure},
    help::{self, Remaining},
    library_error,
    open_store::OpenStore,
};
use minisnap::{Generation, MiniSnapError};

/// Adds help to `failure` about the one of `stores` in which it occurred.
pub(crate) async fn add_help_for_stores(failure: Failure, stores: &[StoreArgs]) -> Failure {
    let Some(error) = failure.error_without_help() else { return failure };
    let stores = stores.iter().filter_map(|store| OpenStore::of(store).ok());
    let is_about = |store: &OpenStore| error.at().location().starts_with(store.name());
    // If one store lies inside the other, the inner one. If the location is in neither, it is a parent folder of the last
    // store, which is the target.
    match stores.max_by_key(|store| if is_about(store) { store.name().len() } else { 0 }) {
        Some(store) => add_help(failure, &store).await,
        None => match help::without_store(error) {
            Some(help) => failure.with_help(help),
            None => failure,
        },
    }
}

/// Adds help to `failure` about `store`.
pub(crate) async fn add_help(failure: Failure, store: &OpenStore) -> Failure {
    let Some(error) = failure.error_without_help() else { return failure };
    if library_error::exit(error) != Exit::Corrupt {
        let help = help::for_error(error, store);
        return failure.with_help(help);
    }
    let remaining = remaining(error, store).await;
    let help = help::for_corruption(error, store, &remaining);
    failure.with_help(help).with_intact(remaining.intact)
}

/// The snapshots of the store that can still be read.
async fn remaining(error: &MiniSnapError, store: &OpenStore) -> Remaining {
    let history = store.history_if_any().await.unwrap_or_default();
    let (intact, unconfirmed) = match error {
        MiniSnapError::Corrupt { intact, unconfirmed, .. } => (intact.clone(), unconfirmed.clone()),
        _ => (intact(store, &history).await, Vec::new()),
    };
    Remaining { current: history.into_iter().next(), intact, unconfirmed }
}

async fn intact(store: &OpenStore, history: &[Generation]) -> Vec<Generation> {
    let mut intact = Vec::new();
    for generation in history {
        if health(store, generation).await.is_ok() {
            intact.push(generation.clone());
        }
    }
    intact
}
