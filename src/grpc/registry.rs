//! `RegistryService`: who may do what, where, and by which formulary.

use tonic::{Request, Response, Status, async_trait};

use super::error::Failure;
use super::handlers::{Handlers, writes};
use super::message;
use super::page::Page;
use crate::names::{EntryName, PersonName, PlaceName};
use crate::pb::v1::{self, registry_service_server::RegistryService};
use crate::refusal::Refusal;

#[async_trait]
impl RegistryService for Handlers {
    writes! {
        enroll_person: EnrollPersonRequest => EnrollPersonResponse,
        change_roles: ChangeRolesRequest => ChangeRolesResponse,
        enroll_key: EnrollKeyRequest => EnrollKeyResponse,
        revoke_key: RevokeKeyRequest => RevokeKeyResponse,
        create_place: CreatePlaceRequest => CreatePlaceResponse,
        publish_formulary: PublishFormularyRequest => PublishFormularyResponse,
        approve: ApproveRequest => ApproveResponse,
    }

    async fn list_people(
        &self,
        request: Request<v1::ListPeopleRequest>,
    ) -> Result<Response<v1::ListPeopleResponse>, Status> {
        let asked = request.into_inner();
        let page = Page::<PersonName>::read(asked.page_size, &asked.page_token, "ListPeople", &[])?;
        let published = self.published();
        let state = &published.state;
        let (people, next_page_token) = page.cut(state.people(), |(name, _)| (*name).clone());
        let people = people
            .into_iter()
            .map(|(name, record)| message::person(name, record, state.keys_of(name)))
            .collect();
        Ok(Response::new(v1::ListPeopleResponse { people, next_page_token }))
    }

    async fn list_places(
        &self,
        request: Request<v1::ListPlacesRequest>,
    ) -> Result<Response<v1::ListPlacesResponse>, Status> {
        let asked = request.into_inner();
        let page = Page::<PlaceName>::read(asked.page_size, &asked.page_token, "ListPlaces", &[])?;
        let published = self.published();
        let places = published.state.places();
        let (places, next_page_token) = page.cut(places, |(name, _)| (*name).clone());
        let places = places.into_iter().map(|(name, record)| message::place(name, record));
        Ok(Response::new(v1::ListPlacesResponse { places: places.collect(), next_page_token }))
    }

    async fn list_proposals(
        &self,
        request: Request<v1::ListProposalsRequest>,
    ) -> Result<Response<v1::ListProposalsResponse>, Status> {
        let asked = request.into_inner();
        let page = Page::<u64>::read(asked.page_size, &asked.page_token, "ListProposals", &[])?;
        let published = self.published();
        let (proposals, next_page_token) =
            page.cut(published.state.proposals(), |(index, _)| *index);
        let proposals =
            proposals.into_iter().map(|(index, proposal)| message::proposal(index, proposal));
        let proposals = proposals.collect();
        Ok(Response::new(v1::ListProposalsResponse { proposals, next_page_token }))
    }

    async fn get_formulary(
        &self,
        _: Request<v1::GetFormularyRequest>,
    ) -> Result<Response<v1::GetFormularyResponse>, Status> {
        let published = self.published();
        let record = published.state.formulary().ok_or(Failure::Refused(Refusal::NoFormulary))?;
        Ok(Response::new(v1::GetFormularyResponse {
            formulary: record.formulary.text().to_owned(),
            version: record.formulary.version().to_vec(),
            entry: EntryName(record.entry).to_string(),
        }))
    }
}
