//! The conditions of requests: `If-Match`, `If-None-Match` and the times of reads.

#[allow(clippy::wildcard_imports, reason = "the types of S3's requests and answers")]
use s3s::dto::*;
use s3s::{S3Result, s3_error};

/// The conditions of a write.
pub(crate) struct WriteConditions {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
}

impl WriteConditions {
    pub(crate) fn is_unconditional(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }

    pub(crate) fn evaluate(&self, current: Option<HeadObjectOutput>) -> S3Result<()> {
        let current = current.and_then(|current| current.e_tag);
        match (&self.if_match, &current) {
            (Some(_), None) => return Err(s3_error!(NoSuchKey)),
            (Some(ETagCondition::ETag(expected)), Some(current)) if !expected.strong_cmp(current) => {
                return Err(s3_error!(PreconditionFailed));
            }
            _ => {}
        }
        match (&self.if_none_match, current) {
            (Some(ETagCondition::Any), Some(_)) => Err(s3_error!(PreconditionFailed)),
            // For a write, S3 supports only `*`.
            (Some(ETagCondition::ETag(_)), _) => Err(s3_error!(NotImplemented)),
            _ => Ok(()),
        }
    }
}

/// Evaluates the conditions of a read. Each pair is an ETag and a time; the time counts only if there is no ETag.
pub(crate) fn evaluate_read(
    current: Option<HeadObjectOutput>,
    (if_match, unmodified_since): (&Option<ETagCondition>, &Option<Timestamp>),
    (if_none_match, modified_since): (&Option<ETagCondition>, &Option<Timestamp>),
) -> S3Result<HeadObjectOutput> {
    let current = current.ok_or_else(|| s3_error!(NoSuchKey))?;
    let matches = |condition: &ETagCondition| match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(expected) => current.e_tag.as_ref().is_some_and(|current| expected.strong_cmp(current)),
    };
    let newer = |than: &Timestamp| current.last_modified.as_ref().is_some_and(|current| current > than);
    if if_match.as_ref().map_or(unmodified_since.as_ref().is_some_and(newer), |condition| !matches(condition)) {
        return Err(s3_error!(PreconditionFailed));
    }
    if if_none_match.as_ref().map_or(modified_since.as_ref().is_some_and(|than| !newer(than)), matches) {
        return Err(s3_error!(NotModified));
    }
    Ok(current)
}
