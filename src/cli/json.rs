//! Any message of the API as JSON, by its descriptor.
//!
//! The form is protobuf's JSON mapping with the names of the `.proto` files: bytes in base64, times
//! in RFC 3339, enums by name, every field that has no presence of its own written even when it is
//! empty. 64-bit integers are JSON numbers, because indexes stay far below 2^53. Bytes that hold a
//! message (an entry, and the request in it) are shown as that message, beside the bytes
//! themselves, which are what was signed.

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding as _};
use prost::Message as _;
use prost::encoding::{WireType, decode_key, decode_varint};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet,
};
use serde_json::{Map, Value};

use crate::pb;
use crate::wire::timestamp_from_wire;

/// How deep messages may nest; ours nest five deep.
const MAX_DEPTH: u32 = 16;
/// The one message of another package that has a form of its own in JSON.
const TIMESTAMP: &str = ".google.protobuf.Timestamp";
/// Where the full name of a request stands beside its bytes.
const REQUEST_TYPE_FIELD: &str = "request_type";

/// Bytes that are not the message that they should be.
#[derive(Debug, thiserror::Error)]
#[error("these bytes are not a {message}: {detail}")]
pub struct JsonError {
    message: String,
    detail: String,
}

/// The messages and enums of the API.
pub struct Schema {
    messages: BTreeMap<String, DescriptorProto>,
    enums: BTreeMap<String, EnumDescriptorProto>,
}

/// One field as it stands on the wire.
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl Default for Schema {
    fn default() -> Self {
        Self::new()
    }
}

impl Schema {
    /// Reads the descriptors that were compiled into the program.
    #[must_use]
    pub fn new() -> Self {
        let set =
            FileDescriptorSet::decode(pb::DESCRIPTORS).expect("build.rs wrote a descriptor set");
        let mut schema = Self { messages: BTreeMap::new(), enums: BTreeMap::new() };
        set.file.into_iter().for_each(|file| schema.add(file));
        schema
    }

    /// A message as JSON. `name` is its full name, such as `vialedger.v1.Entry`.
    pub fn to_json(&self, name: &str, bytes: &[u8]) -> Result<Value, JsonError> {
        self.message(&format!(".{name}"), bytes, 0)
    }

    // No message of the API is declared inside another.
    fn add(&mut self, file: FileDescriptorProto) {
        let package = file.package.unwrap_or_default();
        for message in file.message_type {
            self.messages.insert(format!(".{package}.{}", message.name()), message);
        }
        for list in file.enum_type {
            self.enums.insert(format!(".{package}.{}", list.name()), list);
        }
    }

    fn message(&self, name: &str, bytes: &[u8], depth: u32) -> Result<Value, JsonError> {
        let fail = |detail: &str| JsonError {
            message: name.trim_start_matches('.').to_owned(),
            detail: detail.to_owned(),
        };
        if depth > MAX_DEPTH {
            return Err(fail("it nests too deep"));
        }
        if name == TIMESTAMP {
            return timestamp(bytes).map_err(|detail| fail(&detail));
        }
        let descriptor = self.messages.get(name).ok_or_else(|| fail("no such message"))?;
        let fields = split(bytes).map_err(|detail| fail(&detail))?;
        let mut object = Map::new();
        for field in &descriptor.field {
            let found: Vec<&Wire<'_>> = fields
                .iter()
                .filter(|(number, _)| i64::from(*number) == i64::from(field.number()))
                .map(|(_, wire)| wire)
                .collect();
            if let Some(value) = self.field(field, &found, depth)? {
                object.insert(field.name().to_owned(), value);
            }
        }
        self.open_nested(name, &fields, &mut object, depth);
        Ok(Value::Object(object))
    }

    /// One field; nothing for an absent one that has presence.
    fn field(
        &self,
        field: &FieldDescriptorProto,
        found: &[&Wire<'_>],
        depth: u32,
    ) -> Result<Option<Value>, JsonError> {
        if field.label() == Label::Repeated {
            let mut values = Vec::new();
            for wire in found {
                match (wire, field.r#type()) {
                    // Packed numbers and enums.
                    (Wire::Bytes(packed), Type::Enum) => {
                        let mut rest = *packed;
                        while !rest.is_empty() {
                            let number = decode_varint(&mut rest).map_err(|e| bad(field, &e))?;
                            values.push(self.value(field, &Wire::Number(number), depth)?);
                        }
                    }
                    _ => values.push(self.value(field, wire, depth)?),
                }
            }
            return Ok(Some(Value::Array(values)));
        }
        let has_presence = field.oneof_index.is_some() || field.r#type() == Type::Message;
        match found.last() {
            Some(wire) => self.value(field, wire, depth).map(Some),
            None if has_presence => Ok(None),
            None => match field.r#type() {
                Type::String | Type::Bytes => Ok(Some(Value::String(String::new()))),
                _ => self.value(field, &Wire::Number(0), depth).map(Some),
            },
        }
    }

    fn value(
        &self,
        field: &FieldDescriptorProto,
        wire: &Wire<'_>,
        depth: u32,
    ) -> Result<Value, JsonError> {
        match (field.r#type(), wire) {
            (Type::String, Wire::Bytes(bytes)) => std::str::from_utf8(bytes)
                .map(|text| Value::String(text.to_owned()))
                .map_err(|e| bad(field, &e)),
            (Type::Bytes, Wire::Bytes(bytes)) => Ok(Value::String(Base64::encode_string(bytes))),
            (Type::Message, Wire::Bytes(bytes)) => {
                self.message(field.type_name(), bytes, depth + 1)
            }
            (Type::Bool, Wire::Number(number)) => Ok(Value::Bool(*number != 0)),
            (Type::Uint32 | Type::Uint64, Wire::Number(number)) => Ok(Value::from(*number)),
            (Type::Int32 | Type::Int64, Wire::Number(number)) => {
                Ok(Value::from(number.cast_signed()))
            }
            (Type::Sint32 | Type::Sint64, Wire::Number(number)) => {
                Ok(Value::from((number >> 1).cast_signed() ^ -(number & 1).cast_signed()))
            }
            (Type::Enum, Wire::Number(number)) => Ok(self.enum_value(field.type_name(), *number)),
            _ => Err(bad(field, &"it has another type on the wire")),
        }
    }

    /// An enum's name for a number, or the number where there is none.
    fn enum_value(&self, name: &str, number: u64) -> Value {
        self.enums
            .get(name)
            .and_then(|list| list.value.iter().find(|v| u64::try_from(v.number()) == Ok(number)))
            .map_or_else(|| Value::from(number), |value| Value::String(value.name().to_owned()))
    }

    /// Shows bytes that hold a message as that message: `entry_decoded` and `request_decoded`.
    fn open_nested(
        &self,
        name: &str,
        fields: &[(u32, Wire<'_>)],
        object: &mut Map<String, Value>,
        depth: u32,
    ) {
        let inner = match name {
            ".vialedger.v1.StoredEntry" | ".vialedger.v1.Receipt" => {
                Some(("entry", ".vialedger.v1.Entry".to_owned()))
            }
            ".vialedger.v1.Entry" => object
                .get(REQUEST_TYPE_FIELD)
                .and_then(Value::as_str)
                .map(|request| ("request", format!(".{request}"))),
            _ => None,
        };
        let Some((field, inner)) = inner else { return };
        let number = self
            .messages
            .get(name)
            .and_then(|message| message.field.iter().find(|f| f.name() == field))
            .map(FieldDescriptorProto::number);
        let bytes = fields.iter().rev().find_map(|(found, wire)| match wire {
            Wire::Bytes(bytes) if u32::try_from(number?) == Ok(*found) => Some(*bytes),
            _ => None,
        });
        // What does not decode is shown as bytes alone: the audit says what is wrong with it.
        if let Some(decoded) = bytes.and_then(|b| self.message(&inner, b, depth + 1).ok()) {
            object.insert(format!("{field}_decoded"), decoded);
        }
    }
}

/// Takes a message apart into its fields in the order of the wire.
fn split(mut rest: &[u8]) -> Result<Vec<(u32, Wire<'_>)>, String> {
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let (number, wire_type) = decode_key(&mut rest).map_err(|e| e.to_string())?;
        let wire = match wire_type {
            WireType::Varint => Wire::Number(decode_varint(&mut rest).map_err(|e| e.to_string())?),
            WireType::LengthDelimited => {
                let length = decode_varint(&mut rest).map_err(|e| e.to_string())?;
                let length = usize::try_from(length).map_err(|e| e.to_string())?;
                let (bytes, after) = rest.split_at_checked(length).ok_or("it is cut short")?;
                rest = after;
                Wire::Bytes(bytes)
            }
            other => return Err(format!("no field of the API has the wire type {other:?}")),
        };
        fields.push((number, wire));
    }
    Ok(fields)
}

fn timestamp(bytes: &[u8]) -> Result<Value, String> {
    let wire = prost_types::Timestamp::decode(bytes).map_err(|e| e.to_string())?;
    let moment = timestamp_from_wire(&wire).map_err(|e| e.to_string())?;
    Ok(Value::String(moment.to_string()))
}

fn bad(field: &FieldDescriptorProto, detail: &dyn ToString) -> JsonError {
    JsonError { message: format!("valid {}", field.name()), detail: detail.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::v1;
    use serde_json::json;

    fn show(name: &str, message: &impl prost::Message) -> Value {
        Schema::new().to_json(name, &message.encode_to_vec()).unwrap()
    }

    #[test]
    fn writes_every_kind_of_field() {
        let person = v1::Person {
            name: "people/ada".into(),
            display_name: "Ada Alvarez".into(),
            roles: vec![v1::Role::Nurse.into(), v1::Role::Administrator.into()],
            keys: vec![v1::PersonKey {
                public_key: vec![1, 2, 3],
                enrolled_time: Some(prost_types::Timestamp { seconds: 1, nanos: 500_000_000 }),
                ..Default::default()
            }],
        };
        assert_eq!(
            show("vialedger.v1.Person", &person),
            json!({
                "name": "people/ada", "display_name": "Ada Alvarez",
                "roles": ["ROLE_NURSE", "ROLE_ADMINISTRATOR"],
                "keys": [{"public_key": "AQID", "enrolled_time": "1970-01-01T00:00:01.5Z"}],
            })
        );
        let site = v1::Site { utc_offset_minutes: -300, ..Default::default() };
        let shown = show("vialedger.v1.Site", &site);
        assert_eq!(shown["utc_offset_minutes"], json!(-300));
        assert_eq!(shown["dea_number"], json!(""));
    }

    #[test]
    fn readings_and_limits_keep_their_sign() {
        for value in [0, -5, 128, i32::MIN, i32::MAX] {
            let reading = v1::Reading { value, ..Default::default() };
            assert_eq!(show("vialedger.v1.Reading", &reading)["value"], json!(value));
        }
        let criterion = v1::Criterion { below: Some(-3), ..Default::default() };
        let shown = show("vialedger.v1.Criterion", &criterion);
        assert_eq!(shown["below"], json!(-3));
        assert!(shown.get("above").is_none());
    }

    /// Every field of every message has a form: no type of the API is one that this file does not know.
    #[test]
    fn every_message_of_the_api_can_be_shown() {
        let schema = Schema::new();
        for (name, message) in schema.messages.iter().filter(|(name, _)| name.contains("vialedger"))
        {
            for field in message.field.iter().filter(|field| field.label() != Label::Repeated) {
                let wire = match field.r#type() {
                    Type::String | Type::Bytes | Type::Message => Wire::Bytes(&[]),
                    _ => Wire::Number(0),
                };
                assert!(schema.value(field, &wire, 0).is_ok(), "{name}.{}", field.name());
            }
        }
    }

    #[test]
    fn absent_is_not_zero() {
        let with = v1::GetCheckpointRequest { size: Some(0) };
        let without = v1::GetCheckpointRequest { size: None };
        assert_eq!(show("vialedger.v1.GetCheckpointRequest", &with), json!({"size": 0}));
        assert_eq!(show("vialedger.v1.GetCheckpointRequest", &without), json!({}));
    }

    #[test]
    fn an_entry_shows_the_request_that_was_signed() {
        let request = v1::WitnessRequest { waste: "wastes/7".into(), ..Default::default() };
        let entry = v1::Entry {
            request_type: "vialedger.v1.WitnessRequest".into(),
            request: request.encode_to_vec(),
            outcome: Some(v1::Outcome {
                result: Some(v1::outcome::Result::WasteWitnessed(v1::WasteWitnessed {
                    waste: "wastes/7".into(),
                    ..Default::default()
                })),
                ..Default::default()
            }),
            ..Default::default()
        };
        let stored = v1::StoredEntry { index: 9, entry: entry.encode_to_vec() };
        let shown = show("vialedger.v1.StoredEntry", &stored);
        let decoded = &shown["entry_decoded"];
        assert_eq!(decoded["request_decoded"]["waste"], json!("wastes/7"));
        assert_eq!(decoded["outcome"]["waste_witnessed"]["waste"], json!("wastes/7"));
        assert!(decoded["outcome"].get("refusal").is_none());
        assert_eq!(shown["entry"], json!(Base64::encode_string(&stored.entry)));
    }

    #[test]
    fn hostile_bytes_are_an_error_and_no_panic() {
        let schema = Schema::new();
        for bytes in [&[0xff][..], &[0x0a, 0x7f], &[0x0a, 0x01, 0xff], &[0x0d, 0, 0, 0, 0], &[0x08]]
        {
            assert!(schema.to_json("vialedger.v1.Person", bytes).is_err(), "{bytes:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_shown_or_refused(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)
        ) {
            let schema = Schema::new();
            for name in schema.messages.keys() {
                let _shown = schema.message(name, &bytes, 0);
            }
        }
    }
}
