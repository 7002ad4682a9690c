use std::{collections::BTreeMap, fmt::Display, ops::RangeInclusive, sync::Arc};

use axum::extract::{FromRequest, Request};
use holodrive_protocol::{Latitude, Longitude, Timestamp, UserId};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{ApiError, body};
use crate::app::App;

/// The fields of a JSON object, read one after the other; what is wrong is collected, in the words of Django REST
/// framework. Unknown fields are ignored.
///
/// A field that is missing or wrong reads as a placeholder (an empty text, zero), so call [`Fields::finish`] after
/// reading and before using what was read: it fails when anything was wrong.
///
/// ```
/// # use holodrive::api::Fields;
/// # let object = serde_json::from_str(r#"{"title":"Hello"}"#).unwrap();
/// let mut fields = Fields::new(object);
/// let title = fields.text("title", 1..=200);
/// let kind = fields.optional_text("kind", 1..=64);
/// fields.finish()?;
/// assert_eq!((title.as_str(), kind), ("Hello", None));
/// # Ok::<(), holodrive::api::ApiError>(())
/// ```
#[derive(Debug, Default)]
pub struct Fields {
    object: Map<String, Value>,
    problems: BTreeMap<String, Vec<String>>,
}

/// Why a value is not what its field needs.
type Problem = String;

impl Fields {
    /// The fields of this object.
    pub fn new(object: Map<String, Value>) -> Self {
        Self { object, problems: BTreeMap::new() }
    }

    /// Whether the object has the field, with a value other than null.
    pub fn has(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(|value| !value.is_null())
    }

    /// Notes a problem that only the caller can see.
    pub fn refuse(&mut self, name: &str, problem: impl Into<String>) {
        self.problems.entry(name.to_owned()).or_default().push(problem.into());
    }

    /// Fails when any field that was read is missing or wrong.
    ///
    /// # Errors
    /// 400 `invalid` with all problems.
    pub fn finish(&mut self) -> Result<(), ApiError> {
        match std::mem::take(&mut self.problems) {
            problems if problems.is_empty() => Ok(()),
            problems => Err(ApiError::invalid(problems)),
        }
    }

    /// A text of so many characters, as it was sent.
    pub fn text(&mut self, name: &str, characters: RangeInclusive<usize>) -> String {
        self.required(name, |value| text(value, &characters)).unwrap_or_default()
    }

    /// Like [`Fields::text`], for a field that may be missing or null.
    pub fn optional_text(&mut self, name: &str, characters: RangeInclusive<usize>) -> Option<String> {
        self.optional(name, |value| text(value, &characters))
    }

    /// So many texts, each of so many characters.
    pub fn texts(
        &mut self,
        name: &str,
        count: RangeInclusive<usize>,
        characters: RangeInclusive<usize>,
    ) -> Vec<String> {
        let read = |value| items(value, &count)?.into_iter().map(|item| text(item, &characters)).collect();
        self.required(name, read).unwrap_or_default()
    }

    /// A moment with its offset, for a field that may be missing or null.
    pub fn optional_timestamp(&mut self, name: &str) -> Option<Timestamp> {
        self.optional(name, timestamp)
    }

    /// A whole number within a range; a decimal text counts too.
    pub fn integer(&mut self, name: &str, range: RangeInclusive<i64>) -> i64 {
        self.required(name, |value| integer(value, &range)).unwrap_or_default()
    }

    /// Like [`Fields::integer`], for a field that may be missing or null.
    pub fn optional_integer(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        self.optional(name, |value| integer(value, &range))
    }

    /// True or false.
    pub fn boolean(&mut self, name: &str) -> bool {
        let read = |value: Value| value.as_bool().ok_or_else(|| "Must be a valid boolean.".to_owned());
        self.required(name, read).unwrap_or_default()
    }

    /// Degrees north, from a number or a text.
    pub fn latitude(&mut self, name: &str) -> Latitude {
        self.required(name, |value| degrees(&value, 90, Latitude::from_degrees)).unwrap_or_default()
    }

    /// Degrees east, from a number or a text.
    pub fn longitude(&mut self, name: &str) -> Longitude {
        self.required(name, |value| degrees(&value, 180, Longitude::from_degrees)).unwrap_or_default()
    }

    /// The key of a user: a number, its text, or a UUID.
    pub fn user_id(&mut self, name: &str) -> UserId {
        self.required(name, user_id).unwrap_or(UserId::Int(0))
    }

    /// Like [`Fields::user_id`], for a field that may be missing or null.
    pub fn optional_user_id(&mut self, name: &str) -> Option<UserId> {
        self.optional(name, user_id)
    }

    /// Keys of users, so many of them, each once.
    pub fn user_ids(&mut self, name: &str, count: RangeInclusive<usize>) -> Vec<UserId> {
        self.required(name, |value| user_ids(value, &count)).unwrap_or_default()
    }

    /// Like [`Fields::user_ids`], for a field that may be missing or null.
    pub fn optional_user_ids(&mut self, name: &str, count: RangeInclusive<usize>) -> Option<Vec<UserId>> {
        self.optional(name, |value| user_ids(value, &count))
    }

    /// One of the words of an enum.
    pub fn choice<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        self.required(name, choice)
    }

    /// Like [`Fields::choice`], for a field that may be missing or null.
    pub fn optional_choice<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        self.optional(name, choice)
    }

    /// A JSON object, whatever is in it, for a field that may be missing or null.
    pub fn optional_object(&mut self, name: &str) -> Option<Map<String, Value>> {
        self.optional(name, |value| match value {
            Value::Object(object) if holds_nul(&object) => Err(NUL.to_owned()),
            Value::Object(object) => Ok(object),
            other => Err(format!("Expected a dictionary of items but got type \"{}\".", type_name(&other))),
        })
    }

    fn required<T>(&mut self, name: &str, read: impl FnOnce(Value) -> Result<T, Problem>) -> Option<T> {
        let value = match self.object.remove(name) {
            None => Err("This field is required.".to_owned()),
            Some(Value::Null) => Err("This field may not be null.".to_owned()),
            Some(value) => read(value),
        };
        value.map_err(|problem| self.refuse(name, problem)).ok()
    }

    fn optional<T>(&mut self, name: &str, read: impl FnOnce(Value) -> Result<T, Problem>) -> Option<T> {
        if self.has(name) { self.required(name, read) } else { None }
    }
}

/// The body of a request that anyone may make.
impl FromRequest<Arc<App>> for Fields {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let (parts, content) = request.into_parts();
        let content = body::receive(content, app.config.handshake_timeout).await?;
        body::parse(&parts.headers, &content).map(Self::new)
    }
}

/// PostgreSQL cannot store it in a text.
const NUL: &str = "Null characters are not allowed.";

fn text(value: Value, characters: &RangeInclusive<usize>) -> Result<String, Problem> {
    let Value::String(text) = value else { return Err("Not a valid string.".to_owned()) };
    let count = text.chars().count();
    if text.contains('\0') {
        Err(NUL.to_owned())
    } else if count == 0 && *characters.start() > 0 {
        Err("This field may not be blank.".to_owned())
    } else if count < *characters.start() {
        Err(format!("Ensure this field has at least {} characters.", characters.start()))
    } else if count > *characters.end() {
        Err(format!("Ensure this field has no more than {} characters.", characters.end()))
    } else {
        Ok(text)
    }
}

fn integer(value: Value, range: &RangeInclusive<i64>) -> Result<i64, Problem> {
    let number = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let number = number.ok_or_else(|| "A valid integer is required.".to_owned())?;
    within(number, range.start(), range.end())
}

fn within<T: PartialOrd + Display>(number: T, least: &T, most: &T) -> Result<T, Problem> {
    if number < *least {
        Err(format!("Ensure this value is greater than or equal to {least}."))
    } else if number > *most {
        Err(format!("Ensure this value is less than or equal to {most}."))
    } else {
        Ok(number)
    }
}

fn degrees<T>(value: &Value, limit: i16, make: fn(f64) -> Option<T>) -> Result<T, Problem> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let invalid = || "A valid number is required.".to_owned();
    let number = number.filter(|number: &f64| number.is_finite()).ok_or_else(invalid)?;
    let limit = f64::from(limit);
    make(within(number, &-limit, &limit)?).ok_or_else(invalid)
}

fn user_id(value: Value) -> Result<UserId, Problem> {
    serde_json::from_value(value).map_err(|_| "Must be a user id: an integer or a UUID.".to_owned())
}

fn timestamp(value: Value) -> Result<Timestamp, Problem> {
    serde_json::from_value(value).map_err(|_| {
        "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
            .to_owned()
    })
}

fn user_ids(value: Value, count: &RangeInclusive<usize>) -> Result<Vec<UserId>, Problem> {
    let items = items(value, count)?;
    let mut seen = std::collections::HashSet::with_capacity(items.len());
    let ids = items.into_iter().map(user_id).collect::<Result<Vec<_>, _>>()?;
    Ok(ids.into_iter().filter(|id| seen.insert(*id)).collect())
}

fn items(value: Value, count: &RangeInclusive<usize>) -> Result<Vec<Value>, Problem> {
    let Value::Array(items) = value else {
        return Err(format!("Expected a list of items but got type \"{}\".", type_name(&value)));
    };
    if items.is_empty() && *count.start() > 0 {
        return Err("This list may not be empty.".to_owned());
    }
    if items.len() < *count.start() {
        return Err(format!("Ensure this field has at least {} elements.", count.start()));
    }
    if items.len() > *count.end() {
        return Err(format!("Ensure this field has no more than {} elements.", count.end()));
    }
    Ok(items)
}

fn choice<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    let Value::String(word) = &value else { return Err("Not a valid string.".to_owned()) };
    let shown: String = word.chars().take(40).collect();
    serde_json::from_value(value).map_err(|_| format!("\"{shown}\" is not a valid choice."))
}

fn holds_nul(object: &Map<String, Value>) -> bool {
    object.iter().any(|(key, value)| key.contains('\0') || value_holds_nul(value))
}

fn value_holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(value_holds_nul),
        Value::Object(object) => holds_nul(object),
        _ => false,
    }
}

/// The name that Django REST framework gives the type.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        Fields::new(value.as_object().unwrap().clone())
    }

    #[test]
    fn all_problems_come_at_once_in_familiar_words() {
        let mut fields = fields(json!({
            "blank": "", "long": "çççç", "nul": "a\u{0}b", "number": 5, "null": null, "big": 11, "north": "90.000001",
            "word": "x", "user": 1.5, "users": [], "many": [1, 2, 3], "object": [], "unknown": 1,
        }));
        fields.text("missing", 0..=9);
        fields.text("blank", 1..=9);
        fields.text("long", 1..=3);
        fields.text("nul", 1..=9);
        fields.text("number", 1..=9);
        fields.text("null", 1..=9);
        fields.integer("big", 1..=10);
        fields.latitude("north");
        fields.choice::<holodrive_protocol::http::DriverStatus>("word");
        fields.user_id("user");
        fields.user_ids("users", 1..=2);
        fields.user_ids("many", 1..=2);
        fields.optional_object("object");
        let problems = fields.finish().unwrap_err().body.errors;
        let expected = json!({
            "missing": ["This field is required."],
            "blank": ["This field may not be blank."],
            "long": ["Ensure this field has no more than 3 characters."],
            "nul": ["Null characters are not allowed."],
            "number": ["Not a valid string."],
            "null": ["This field may not be null."],
            "big": ["Ensure this value is less than or equal to 10."],
            "north": ["Ensure this value is less than or equal to 90."],
            "word": ["\"x\" is not a valid choice."],
            "user": ["Must be a user id: an integer or a UUID."],
            "users": ["This list may not be empty."],
            "many": ["Ensure this field has no more than 2 elements."],
            "object": ["Expected a dictionary of items but got type \"list\"."],
        });
        assert_eq!(serde_json::to_value(problems).unwrap(), expected);
    }

    #[test]
    fn good_values_are_read_in_all_their_forms() {
        let uuid = "6f1c1a52-93a5-4f0e-8d0b-0a4f9f3f2b11";
        let mut fields = fields(json!({
            "text": "ççç ", "north": "41.311081", "east": -69.240_562, "user": uuid, "users": [2, "2", 1], "null": null,
        }));
        assert_eq!(fields.text("text", 1..=4), "ççç ");
        assert_eq!(fields.latitude("north").to_string(), "41.311081");
        assert_eq!(fields.longitude("east").to_string(), "-69.240562");
        assert_eq!(fields.user_id("user").to_string(), uuid);
        assert_eq!(fields.user_ids("users", 1..=9), [UserId::Int(2), UserId::Int(1)]);
        assert_eq!((fields.optional_text("null", 1..=9), fields.optional_integer("missing", 0..=9)), (None, None));
        assert_eq!(fields.finish(), Ok(()));
    }

    #[test]
    fn numbers_that_are_none_are_no_coordinates() {
        let mut fields = fields(json!({ "a": "NaN", "b": "inf", "c": "", "d": true, "e": 1e300 }));
        for name in ["a", "b", "c", "d", "e"] {
            fields.longitude(name);
        }
        assert_eq!(fields.finish().unwrap_err().body.errors.len(), 5);
    }
}
