use http::Method;
use schemars::JsonSchema;

use super::schemas::{SchemaOf, schema_of};

/// One call of the HTTP API.
pub(super) struct Operation {
    pub(super) method: Method,
    /// As clients write it, with the last slash.
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    pub(super) access: Access,
    /// Who may call it, and what else there is to know.
    pub(super) description: &'static str,
    pub(super) query: Vec<QueryParameter>,
    pub(super) body: Option<SchemaOf>,
    pub(super) answers: Vec<Answer>,
    /// Statuses of errors beside those that follow from the rest.
    pub(super) errors: Vec<u16>,
}

/// Whose credentials count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// None are needed.
    Anyone,
    /// Those of a user.
    User,
    /// Those of a user, or an API key.
    UserOrBackend,
}

pub(super) struct QueryParameter {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) schema: SchemaOf,
}

/// An answer that is no error.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) description: &'static str,
    pub(super) content: Option<(&'static str, SchemaOf)>,
}

impl Operation {
    fn new(method: Method, path: &'static str, summary: &'static str) -> Self {
        Self {
            method,
            path,
            summary,
            access: Access::User,
            description: "",
            query: Vec::new(),
            body: None,
            answers: Vec::new(),
            errors: Vec::new(),
        }
    }

    pub(super) fn get(path: &'static str, summary: &'static str) -> Self {
        Self::new(Method::GET, path, summary)
    }

    pub(super) fn post(path: &'static str, summary: &'static str) -> Self {
        Self::new(Method::POST, path, summary)
    }

    pub(super) fn put(path: &'static str, summary: &'static str) -> Self {
        Self::new(Method::PUT, path, summary)
    }

    pub(super) fn delete(path: &'static str, summary: &'static str) -> Self {
        Self::new(Method::DELETE, path, summary)
    }

    /// Who may call it.
    pub(super) fn by(self, access: Access, description: &'static str) -> Self {
        Self { access, description, ..self }
    }

    pub(super) fn takes<T: JsonSchema>(self) -> Self {
        Self { body: Some(schema_of::<T>), ..self }
    }

    pub(super) fn query<T: JsonSchema>(mut self, name: &'static str, description: &'static str) -> Self {
        self.query.push(QueryParameter { name, description, schema: schema_of::<T> });
        self
    }

    /// Answers with one page of a list.
    pub(super) fn paged(self) -> Self {
        self.query::<String>("cursor", "What `next` of the page before said; the first page without it.")
            .query::<u8>("limit", "How many entries a page has at most: 1 to 200, 50 without it.")
    }

    pub(super) fn answers<T: JsonSchema>(self, status: u16, description: &'static str) -> Self {
        self.answer(status, description, Some(("application/json", schema_of::<T>)))
    }

    pub(super) fn answers_text(self, media_type: &'static str, description: &'static str) -> Self {
        self.answer(200, description, Some((media_type, schema_of::<String>)))
    }

    pub(super) fn answers_nothing(self, description: &'static str) -> Self {
        self.answer(204, description, None)
    }

    fn answer(mut self, status: u16, description: &'static str, content: Option<(&'static str, SchemaOf)>) -> Self {
        self.answers.push(Answer { status, description, content });
        self
    }

    pub(super) fn refuses(mut self, statuses: &[u16]) -> Self {
        self.errors.extend(statuses);
        self
    }

    /// The names in braces.
    pub(super) fn path_parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
    }

    /// Whether an `Idempotency-Key` counts: answers with secrets are never kept.
    pub(super) fn is_command(&self) -> bool {
        !self.method.is_safe() && self.access != Access::Anyone && self.method != Method::DELETE
    }

    /// All statuses of errors, in order.
    pub(super) fn all_errors(&self) -> Vec<u16> {
        let mut statuses = self.errors.clone();
        if !self.query.is_empty() {
            statuses.push(400);
        }
        if !self.method.is_safe() && self.method != Method::DELETE {
            statuses.extend([400, 408, 413, 415]);
        }
        if self.is_command() {
            statuses.push(409);
        }
        if self.access != Access::Anyone {
            statuses.extend([401, 403, 503]);
        }
        if self.path_parameters().next().is_some() {
            statuses.push(404);
        }
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }
}
