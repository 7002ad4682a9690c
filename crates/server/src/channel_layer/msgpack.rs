//! `MessagePack`, as Python packs it, to JSON values and back.

use base64::{Engine, engine::general_purpose::STANDARD};
use rmpv::{Value as Packed, decode::read_value_with_max_depth, encode::write_value};
use serde_json::{Map, Number, Value};

/// As deep as JSON is read; each level counts twice.
const MAX_DEPTH: usize = 2 * 128;

/// Reads one value that takes all of `bytes`; `None` where they are something else, or nothing that JSON can say.
pub(super) fn read(bytes: &[u8]) -> Option<Value> {
    let mut rest = bytes;
    let value = read_value_with_max_depth(&mut rest, MAX_DEPTH).ok()?;
    if rest.is_empty() { json(value) } else { None }
}

/// The form of a map with a length of 32 bits.
const MAP_32: u8 = 0xdf;

/// Packs a map in a form that Python reads, but never writes where there are so few entries: by it we know our own messages.
pub(super) fn write_marked(map: &Map<String, Value>) -> Option<Vec<u8>> {
    let count = u16::try_from(map.len()).ok()?;
    let mut bytes = vec![MAP_32];
    bytes.extend(u32::from(count).to_be_bytes());
    for (name, value) in map {
        write_value(&mut bytes, &name.as_str().into()).ok()?;
        write_value(&mut bytes, &packed(value)).ok()?;
    }
    Some(bytes)
}

/// Whether [`write_marked`] has written this.
pub(super) fn is_marked(bytes: &[u8]) -> bool {
    bytes.starts_with(&[MAP_32, 0, 0])
}

fn json(value: Packed) -> Option<Value> {
    Some(match value {
        Packed::Nil => Value::Null,
        Packed::Boolean(value) => value.into(),
        Packed::Integer(value) => value.as_i64().map(Value::from).or_else(|| value.as_u64().map(Value::from))?,
        Packed::F32(value) => Number::from_f64(value.into()).into(),
        Packed::F64(value) => Number::from_f64(value).into(),
        Packed::String(value) => value.into_str()?.into(),
        Packed::Binary(value) => STANDARD.encode(value).into(),
        Packed::Array(values) => values.into_iter().map(json).collect::<Option<Vec<_>>>()?.into(),
        Packed::Map(entries) => {
            let entries = entries.into_iter().map(|(name, value)| Some((key(name)?, json(value)?)));
            entries.collect::<Option<Map<_, _>>>()?.into()
        }
        Packed::Ext(..) => return None,
    })
}

/// Python has other keys than texts, too; they become what its JSON makes of them.
fn key(value: Packed) -> Option<String> {
    match value {
        Packed::String(value) => value.into_str(),
        Packed::Integer(value) => Some(value.to_string()),
        Packed::Boolean(value) => Some(value.to_string()),
        Packed::Nil => Some("null".to_owned()),
        _ => None,
    }
}

fn packed(value: &Value) -> Packed {
    match value {
        Value::Null => Packed::Nil,
        Value::Bool(value) => Packed::Boolean(*value),
        Value::Number(value) => number(value),
        Value::String(value) => value.as_str().into(),
        Value::Array(values) => Packed::Array(values.iter().map(packed).collect()),
        Value::Object(entries) => {
            Packed::Map(entries.iter().map(|(name, value)| (name.as_str().into(), packed(value))).collect())
        }
    }
}

fn number(value: &Number) -> Packed {
    let integer = value.as_i64().map(Packed::from).or_else(|| value.as_u64().map(Packed::from));
    integer.or_else(|| value.as_f64().map(Packed::from)).unwrap_or(Packed::Nil)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::{super::tests::vectors, *};

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|place| u8::from_str_radix(&hex[place..place + 2], 16).unwrap()).collect()
    }

    #[test]
    fn values_are_packed_and_read_as_in_python() {
        for case in vectors()["msgpack"].as_array().unwrap() {
            let packed = bytes(case["msgpack_hex"].as_str().unwrap());
            assert_eq!(read(&packed).as_ref(), Some(&case["value"]), "{case}");
            let mut written = Vec::new();
            write_value(&mut written, &super::packed(&case["value"])).unwrap();
            assert_eq!(written, packed, "{case}");
        }
    }

    #[test]
    fn what_python_packs_beside_json_is_read_or_refused() {
        for (hex, value) in [
            ("8107a178", Some(json!({"7": "x"}))),
            ("81ffc3", Some(json!({"-1": true}))),
            ("c4026869", Some(json!("aGk="))),
            ("ca3fc00000", Some(json!(1.5))),
            ("cb7ff8000000000000", Some(json!(null))),
            ("d6ff00000000", None),
            ("a2fffe", None),
            ("0101", None),
            ("dfffffffff", None),
            ("ddffffffff", None),
            ("", None),
        ] {
            assert_eq!(read(&bytes(hex)), value, "{hex}");
        }
    }

    #[test]
    fn our_own_messages_are_known() {
        let Value::Object(map) = json!({"type": "typing", "user": 5}) else { unreachable!() };
        let written = write_marked(&map).unwrap();
        assert_eq!(read(&written), Some(Value::Object(map)));
        assert!(is_marked(&written) && !is_marked(&bytes("82a474797065a6747970696e67a47573657205")));
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth: usize| [vec![0x91; depth], vec![0xc0]].concat();
        assert!(read(&nested(100)).is_some());
        assert!(read(&nested(100_000)).is_none());
    }
}
