//! The calls that there are, read from the descriptors, so that the protos alone say what is served.

use std::collections::HashMap;
use std::sync::Arc;

use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tonic_reflection::server::Builder;

use super::limits::MAX_OPEN_REQUEST_BYTES;
use crate::ledger::RequestKind;
use crate::pb;

const PACKAGE: &str = "vialedger.v1";

/// Which of our services a call belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    Dosing,
    Custody,
    Course,
    Audit,
    Registry,
}

/// What a call of ours must show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// A signature over its message.
    Signed(RequestKind),
    /// A bearer token.
    Token,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Method {
    /// Its path, such as `/vialedger.v1.CustodyService/DispenseVial`.
    pub(super) path: Arc<str>,
    /// Our service that answers it; none for health and reflection, which show nothing of a ledger
    /// and need nothing shown.
    pub(super) home: Option<Home>,
    /// What it must show.
    pub(super) access: Access,
    /// Whether its answers are a stream.
    pub(super) streams: bool,
}

/// Every call.
#[derive(Debug)]
pub(super) struct Methods {
    by_path: HashMap<String, Method>,
    services: Vec<Watched>,
}

/// What health is asked for by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Watched {
    /// One of our services, or the server as a whole (empty).
    pub(super) name: String,
    /// Whether it is of no use where no writes are taken.
    pub(super) writes: bool,
}

impl Methods {
    pub(super) fn of_the_descriptors() -> Self {
        let mut methods = Self { by_path: HashMap::new(), services: Vec::new() };
        methods.services.push(Watched { name: String::new(), writes: true });
        for set in [
            pb::DESCRIPTORS,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ] {
            let set = FileDescriptorSet::decode(set)
                .expect("the build made the descriptors, and the tests decode them");
            methods.add(&set);
        }
        methods
    }

    fn add(&mut self, set: &FileDescriptorSet) {
        for file in &set.file {
            for service in &file.service {
                let name = format!("{}.{}", file.package(), service.name());
                let home = (file.package() == PACKAGE).then(|| home(service.name())).flatten();
                for method in &service.method {
                    let path = format!("/{name}/{}", method.name());
                    let access =
                        RequestKind::from_method(&path).map_or(Access::Token, Access::Signed);
                    let streams = method.server_streaming();
                    let method = Method { path: path.as_str().into(), home, access, streams };
                    self.by_path.insert(path, method);
                }
                if home.is_some() {
                    let writes = home != Some(Home::Audit);
                    self.services.push(Watched { name, writes });
                }
            }
        }
    }

    /// The call of a path.
    pub(super) fn find(&self, path: &str) -> Option<&Method> {
        self.by_path.get(path)
    }

    /// What health is asked for: each of our services, and the server as a whole.
    pub(super) fn services(&self) -> &[Watched] {
        &self.services
    }
}

fn home(service: &str) -> Option<Home> {
    match service {
        "DosingService" => Some(Home::Dosing),
        "CustodyService" => Some(Home::Custody),
        "CourseService" => Some(Home::Course),
        "AuditService" => Some(Home::Audit),
        "RegistryService" => Some(Home::Registry),
        _ => None,
    }
}

/// Health, and reflection in both of its versions, so that any client can ask for the protos. They
/// are asked by anybody, so what they read is small.
pub(super) fn open(health: &HealthReporter) -> Routes {
    let most = MAX_OPEN_REQUEST_BYTES;
    let proof = "the build made the descriptors, and the tests decode them";
    let reflection = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(pb::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let health = HealthService::from_health_reporter(health.clone());
    let v1 = reflection().build_v1().expect(proof);
    let v1alpha = reflection().build_v1alpha().expect(proof);
    Routes::new(HealthServer::new(health).max_decoding_message_size(most))
        .add_service(v1.max_decoding_message_size(most))
        .add_service(v1alpha.max_decoding_message_size(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_of_the_protos_is_served() {
        let methods = Methods::of_the_descriptors();
        assert_eq!(methods.services().len(), 6);
        for method in methods.by_path.values() {
            let ours = method.path.starts_with("/vialedger.v1.");
            assert_eq!(method.home.is_some(), ours, "{}", method.path);
        }
    }

    #[test]
    fn every_act_of_a_person_has_a_call_that_must_be_signed_and_reads_need_a_token() {
        let methods = Methods::of_the_descriptors();
        let signed = |method: &&Method| matches!(method.access, Access::Signed(_));
        let ours = methods.by_path.values().filter(|method| method.home.is_some());
        // The first act and the ledger's own two are never taken from anybody.
        let callable = RequestKind::ALL.iter().filter(|kind| kind.method().is_some()).count();
        assert_eq!(callable, RequestKind::ALL.len() - 3);
        assert_eq!(ours.filter(signed).count(), callable);
        let tail = methods.find("/vialedger.v1.AuditService/TailEntries").unwrap();
        assert_eq!((tail.access, tail.streams), (Access::Token, true));
    }
}
