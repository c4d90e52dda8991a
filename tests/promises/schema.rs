//! The schema says everything that a caller must know, follows one style, and no field of it ever
//! changes its number by accident.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, ServiceDescriptorProto,
};
use vialedger::pb;

const SNAPSHOT: &str = include_str!("../data/schema.txt");

const TIMESTAMP: &str = ".google.protobuf.Timestamp";

/// The numbers that protobuf gives to the parts of a file in the paths of its comments.
mod part {
    pub(crate) const MESSAGES: i32 = 4;
    pub(crate) const ENUMS: i32 = 5;
    pub(crate) const SERVICES: i32 = 6;
    pub(crate) const FIELDS: i32 = 2;
    pub(crate) const NESTED_MESSAGES: i32 = 3;
    pub(crate) const NESTED_ENUMS: i32 = 4;
    pub(crate) const ONEOFS: i32 = 8;
    pub(crate) const VALUES: i32 = 2;
    pub(crate) const METHODS: i32 = 2;
}

/// Everything in the files of ours that has a name, with its comment.
#[derive(Default)]
struct Schema {
    comments: Vec<(String, String)>,
    messages: Vec<(String, DescriptorProto)>,
    enums: Vec<(String, EnumDescriptorProto)>,
    services: Vec<(String, ServiceDescriptorProto)>,
}

impl Schema {
    fn read() -> Self {
        let set = FileDescriptorSet::decode(pb::DESCRIPTORS).unwrap();
        let mut schema = Self::default();
        for file in set.file.iter().filter(|file| file.package() == "vialedger.v1") {
            schema.add(file);
        }
        assert!(schema.messages.len() > 50, "the walk sees the whole schema");
        schema
    }

    fn add(&mut self, file: &FileDescriptorProto) {
        let comments: BTreeMap<&[i32], &str> = file
            .source_code_info
            .as_ref()
            .expect("the descriptors keep their comments")
            .location
            .iter()
            .map(|place| (place.path.as_slice(), place.leading_comments()))
            .collect();
        let comment = |path: &[i32]| comments.get(path).copied().unwrap_or_default().to_owned();
        for (n, message) in (0..).zip(&file.message_type) {
            self.add_message(file.package(), message, &[part::MESSAGES, n], &comment);
        }
        for (n, kinds) in (0..).zip(&file.enum_type) {
            self.add_enum(file.package(), kinds, &[part::ENUMS, n], &comment);
        }
        for (n, service) in (0..).zip(&file.service) {
            let name = format!("{}.{}", file.package(), service.name());
            self.comments.push((name.clone(), comment(&[part::SERVICES, n])));
            for (m, method) in (0..).zip(&service.method) {
                let path = [part::SERVICES, n, part::METHODS, m];
                self.comments.push((format!("{name}.{}", method.name()), comment(&path)));
            }
            self.services.push((name, service.clone()));
        }
    }

    fn add_message(
        &mut self,
        within: &str,
        message: &DescriptorProto,
        path: &[i32],
        comment: &dyn Fn(&[i32]) -> String,
    ) {
        let name = format!("{within}.{}", message.name());
        self.comments.push((name.clone(), comment(path)));
        for (n, field) in (0..).zip(&message.field) {
            let path = [path, &[part::FIELDS, n]].concat();
            self.comments.push((format!("{name}.{}", field.name()), comment(&path)));
        }
        for (n, oneof) in (0..).zip(&message.oneof_decl) {
            let path = [path, &[part::ONEOFS, n]].concat();
            // `optional` makes a oneof of its own, which nobody wrote.
            if !oneof.name().starts_with('_') {
                self.comments.push((format!("{name}.{}", oneof.name()), comment(&path)));
            }
        }
        for (n, nested) in (0..).zip(&message.nested_type) {
            let path = [path, &[part::NESTED_MESSAGES, n]].concat();
            self.add_message(&name, nested, &path, comment);
        }
        for (n, kinds) in (0..).zip(&message.enum_type) {
            let path = [path, &[part::NESTED_ENUMS, n]].concat();
            self.add_enum(&name, kinds, &path, comment);
        }
        self.messages.push((name, message.clone()));
    }

    fn add_enum(
        &mut self,
        within: &str,
        kinds: &EnumDescriptorProto,
        path: &[i32],
        comment: &dyn Fn(&[i32]) -> String,
    ) {
        let name = format!("{within}.{}", kinds.name());
        self.comments.push((name.clone(), comment(path)));
        for (n, value) in (0..).zip(&kinds.value) {
            let path = [path, &[part::VALUES, n]].concat();
            self.comments.push((format!("{name}.{}", value.name()), comment(&path)));
        }
        self.enums.push((name, kinds.clone()));
    }

    /// One line for everything whose change would break somebody: sorted, so that moving a message
    /// from one file to another changes nothing.
    fn lines(&self) -> String {
        let mut lines = Vec::new();
        for (name, message) in &self.messages {
            lines.push(format!("message {name}"));
            for field in &message.field {
                lines.push(format!("{name} = {:>3} {}", field.number(), describe(field, message)));
            }
            for range in &message.reserved_range {
                lines.push(format!(
                    "{name} = {:>3} reserved to {}",
                    range.start(),
                    range.end() - 1
                ));
            }
        }
        for (name, kinds) in &self.enums {
            lines.push(format!("enum {name}"));
            let value = |v: &prost_types::EnumValueDescriptorProto| {
                format!("{name} = {:>3} {}", v.number(), v.name())
            };
            lines.extend(kinds.value.iter().map(value));
        }
        for (name, service) in &self.services {
            for method in &service.method {
                let streams = if method.server_streaming() { "stream of " } else { "" };
                let (request, response) = (method.input_type(), method.output_type());
                let method = method.name();
                lines.push(format!("service {name}.{method}: {request} -> {streams}{response}"));
            }
        }
        lines.sort();
        lines.iter().fold(String::new(), |mut text, line| {
            writeln!(text, "{line}").unwrap();
            text
        })
    }
}

fn describe(field: &FieldDescriptorProto, message: &DescriptorProto) -> String {
    let kind = match field.r#type() {
        Type::Message | Type::Enum => field.type_name().to_owned(),
        scalar => scalar.as_str_name().trim_start_matches("TYPE_").to_lowercase(),
    };
    let repeated = if field.label() == Label::Repeated { "repeated " } else { "" };
    let optional = if field.proto3_optional() { "optional " } else { "" };
    let oneof = match field.oneof_index {
        Some(index) if !field.proto3_optional() => {
            format!(" in oneof {}", message.oneof_decl[usize::try_from(index).unwrap()].name())
        }
        _ => String::new(),
    };
    format!("{repeated}{optional}{kind} {}{oneof}", field.name())
}

fn is_lower_snake(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.contains("__")
        && !name.ends_with('_')
}

fn is_pascal(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric())
}

/// `VialState` as it begins the names of its values: `VIAL_STATE_`.
fn value_prefix(name: &str) -> String {
    let mut prefix = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !prefix.is_empty() {
            prefix.push('_');
        }
        prefix.push(c.to_ascii_uppercase());
    }
    prefix + "_"
}

#[test]
fn every_service_call_message_field_and_value_says_what_it_is() {
    let schema = Schema::read();
    let silent: Vec<&str> = schema
        .comments
        .iter()
        .filter(|(_, comment)| comment.trim().is_empty())
        .map(|(name, _)| name.as_str())
        .collect();
    assert!(silent.is_empty(), "without a comment: {silent:#?}");
    assert!(schema.comments.len() > 400, "only {} were looked at", schema.comments.len());
}

#[test]
fn services_and_their_messages_are_named_after_their_calls_and_shared_by_none() {
    let mut used = BTreeMap::new();
    for (name, service) in Schema::read().services {
        assert!(name.ends_with("Service") && is_pascal(service.name()), "{name}");
        for method in &service.method {
            assert!(is_pascal(method.name()), "{name}.{}", method.name());
            let request = format!(".vialedger.v1.{}Request", method.name());
            let response = format!(".vialedger.v1.{}Response", method.name());
            assert_eq!((method.input_type(), method.output_type()), (&*request, &*response));
            for message in [request, response] {
                let before = used.insert(message.clone(), method.name().to_owned());
                assert_eq!(before, None, "{message} is shared");
            }
        }
    }
}

#[test]
fn fields_are_lower_snake_and_never_a_float_or_a_map_and_times_say_so() {
    let schema = Schema::read();
    for (name, message) in &schema.messages {
        assert!(is_pascal(message.name()), "{name}");
        assert!(message.options.as_ref().is_none_or(|options| !options.map_entry()), "map: {name}");
        for field in &message.field {
            let place = format!("{name}.{}", field.name());
            assert!(is_lower_snake(field.name()), "{place}");
            assert!(!matches!(field.r#type(), Type::Float | Type::Double), "float: {place}");
            let is_time = field.type_name() == TIMESTAMP;
            assert_eq!(is_time, field.name().ends_with("_time"), "{place}");
        }
        for oneof in &message.oneof_decl {
            assert!(is_lower_snake(oneof.name().trim_start_matches('_')), "{name}");
        }
    }
}

#[test]
fn values_carry_their_enums_name_and_nought_is_unspecified() {
    for (name, kinds) in Schema::read().enums {
        let prefix = value_prefix(kinds.name());
        for value in &kinds.value {
            assert!(value.name().starts_with(&prefix), "{name}: {}", value.name());
        }
        let nought = kinds.value.first().unwrap();
        let expected = format!("{prefix}UNSPECIFIED");
        assert_eq!((nought.number(), nought.name()), (0, expected.as_str()));
    }
}

#[test]
fn every_signed_request_begins_with_the_same_four_fields() {
    let begin = ["ledger", "request_id", "validate_only", "expected_size"];
    let mut signed = 0;
    for (name, message) in Schema::read().messages {
        let is_signed = message.field.first().is_some_and(|field| field.name() == "ledger")
            && name.ends_with("Request")
            && name != "vialedger.v1.InitializeLedgerRequest";
        if is_signed {
            signed += 1;
            let fields = message.field.iter().take(4);
            let fields: Vec<_> = fields.map(|field| (field.number(), field.name())).collect();
            let expected: Vec<_> = (1..).zip(begin).collect();
            assert_eq!(fields, expected, "{name}");
        }
    }
    // Those of people, and the two of the ledger itself.
    assert_eq!(signed, 30 + 2);
}

/// To take a change in on purpose: run this test, read the difference, and put the printed schema
/// into `tests/data/schema.txt`. A line that goes or changes breaks somebody; a new one does not.
#[test]
fn the_schema_is_the_one_that_was_agreed() {
    let now = Schema::read().lines();
    let gone: Vec<&str> = SNAPSHOT.lines().filter(|old| !now.lines().any(|l| l == *old)).collect();
    let new: Vec<&str> = now.lines().filter(|l| !SNAPSHOT.lines().any(|old| old == *l)).collect();
    assert!(gone.is_empty() && new.is_empty(), "gone: {gone:#?}\nnew: {new:#?}\n\n{now}");
}
