//! The records that the server accepted, as the proxy saw them. Each replaced the one whose tag its condition has.

use super::recorder::Recorder;
use crate::{
    fault_tests::{
        simulation::short_name,
        violation::{Kind, Violation},
    },
    layout::ObjectKind,
    record::Record,
};
use minisnap_core::Digest;
use minisnap_fault_proxy::Exchange;
use object_store::path::Path;
use std::collections::HashMap;

/// A record that the server accepted. It took effect between the two events.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) record: Record,
    pub(super) sent: u64,
    pub(super) answered: u64,
    tag: String,
    /// The tag of the record that it replaced; `None` if there was none.
    replaced: Option<String>,
}

/// All records in order.
#[derive(Debug, Default)]
pub(super) struct Chain {
    pub(super) links: Vec<Link>,
}

/// A file of a generation that the server deleted, until this event at the latest.
#[derive(Debug)]
pub(super) struct Deletion {
    pub(super) name: String,
    pub(super) answered: u64,
}

impl Chain {
    /// Orders the accepted records by their tags. An error if they form no chain.
    pub(super) fn of(exchanges: &[Exchange], recorder: &Recorder) -> Result<Self, Violation> {
        let invalid = |found: String| Violation::new(Kind::InvalidSuccessor, found);
        let target = format!("/{}", recorder.layout.current());
        let mut by_replaced: HashMap<Option<String>, Link> = HashMap::new();
        let accepted = exchanges.iter().filter(|exchange| {
            exchange.method == "PUT" && exchange.target.ends_with(&target) && exchange.status != Some(412)
        });
        for exchange in accepted {
            match exchange.status {
                Some(200) => {}
                None => return Err(Violation::new(Kind::UnexpectedError, "the server gave no answer")),
                // It refused for another reason.
                Some(_) => continue,
            }
            let link = Link::of(exchange, recorder)?;
            if let Some(other) = by_replaced.insert(link.replaced.clone(), link.clone()) {
                return Err(invalid(format!("the server accepted two records over one: {other:?} and {link:?}")));
            }
        }
        let mut chain = Self::default();
        let mut last_tag = None;
        while let Some(next) = by_replaced.remove(&last_tag) {
            last_tag = Some(next.tag.clone());
            chain.links.push(next);
        }
        match by_replaced.into_values().next() {
            Some(other) => Err(invalid(format!("a record replaced another one than the server had: {other:?}"))),
            None => chain.check().map(|()| chain).map_err(invalid),
        }
    }

    /// Checks that each record counts one commit or one collection more, and that a new generation has a new name.
    fn check(&self) -> Result<(), String> {
        for pair in self.links.windows(2) {
            let [before, after] = [&pair[0].record, &pair[1].record];
            let is_commit = before.current() != after.current();
            let current = after.current().map(|current| short_name(current.name())).unwrap_or_default();
            match () {
                () if after.commits != before.commits + u64::from(is_commit) => {
                    return Err(format!("{current}: {} commits after {}", after.commits, before.commits));
                }
                () if after.collections < before.collections || after.collections > before.collections + 1 => {
                    return Err(format!("{current}: {} collections after {}", after.collections, before.collections));
                }
                () if is_commit && after.current().is_some_and(|current| before.names(current.name())) => {
                    return Err(format!("{current} was committed again"));
                }
                () => {}
            }
        }
        Ok(())
    }

    /// The commits in order: the names, with the digests of their JSONs.
    pub(super) fn committed(&self) -> Vec<(String, Option<Digest>)> {
        let mut committed: Vec<(String, Option<Digest>)> = Vec::new();
        for current in self.links.iter().filter_map(|link| link.record.current()) {
            if committed.last().is_none_or(|(last, _)| last != current.name()) {
                committed.push((current.name().to_owned(), current.digest()));
            }
        }
        committed
    }

    /// The record by which a committed generation expired; `None` if it is retained.
    pub(super) fn expired_by(&self, name: &str) -> Option<&Link> {
        let retains = |link: &Link| link.record.retained().any(|retained| retained.name() == name);
        let last = self.links.iter().rposition(retains)?;
        self.links.get(last + 1)
    }
}

impl Link {
    fn of(exchange: &Exchange, recorder: &Recorder) -> Result<Self, Violation> {
        let unreadable = |error| Violation::new(Kind::RecordUnreadable, format!("a record can't be parsed: {error:?}"));
        let no_tag = || Violation::new(Kind::UnexpectedError, "the server gave no tag");
        let replaced = exchange.if_match.as_deref().map(opaque);
        if replaced.is_none() && exchange.if_none_match.is_none() {
            return Err(Violation::new(Kind::InvalidSuccessor, "a record was written without a condition"));
        }
        Ok(Self {
            record: Record::parse(&exchange.body).map_err(unreadable)?,
            sent: recorder.event_at(exchange.sent),
            answered: recorder.event_at(exchange.answered),
            tag: exchange.tag.as_deref().map(opaque).ok_or_else(no_tag)?,
            replaced,
        })
    }
}

/// All files of generations that the server deleted.
pub(super) fn deletions(exchanges: &[Exchange], recorder: &Recorder) -> Vec<Deletion> {
    let mut deletions = Vec::new();
    for exchange in exchanges.iter().filter(|exchange| exchange.status.is_some_and(|status| status < 300)) {
        let bulk = std::str::from_utf8(&exchange.body).unwrap_or_default();
        let keys: Vec<&str> = match exchange.method.as_str() {
            // The path is /BUCKET/KEY.
            "DELETE" => exchange.target.splitn(3, '/').skip(2).collect(),
            "POST" => bulk.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next()).collect(),
            _ => Vec::new(),
        };
        for key in keys {
            if let Some(ObjectKind::GenerationFile(name)) = recorder.layout.identify(&Path::from(key)) {
                deletions.push(Deletion { name, answered: recorder.event_at(exchange.answered) });
            }
        }
    }
    deletions
}

/// A tag without quotes and without the mark of a weak tag: clients may leave them out.
fn opaque(tag: &str) -> String {
    tag.trim_start_matches("W/").trim_matches('"').to_owned()
}
