//! `CustodyService`: every vial from its receipt to its last drop.

use tonic::{Request, Response, Status, async_trait};

use super::error::{Failure, unreadable};
use super::handlers::{Handlers, name, optional_name, violation, writes};
use super::message;
use super::page::Page;
use crate::decide;
use crate::ledger::ParsedEntry;
use crate::names::{PlaceName, ProductName, VialName};
use crate::pb::v1::{self, custody_service_server::CustodyService, outcome};
use crate::state::State;
use crate::time::Timestamp;
use crate::vial::Vial;
use crate::wire::{standing_to_wire, timestamp_to_wire, vial_to_wire};

#[async_trait]
impl CustodyService for Handlers {
    writes! {
        receive_vials: ReceiveVialsRequest => ReceiveVialsResponse,
        dispense_vial: DispenseVialRequest => DispenseVialResponse,
        record_administration: RecordAdministrationRequest => RecordAdministrationResponse,
        record_waste: RecordWasteRequest => RecordWasteResponse,
        witness: WitnessRequest => WitnessResponse,
        return_vial: ReturnVialRequest => ReturnVialResponse,
        quarantine_vials: QuarantineVialsRequest => QuarantineVialsResponse,
    }

    async fn get_vial(
        &self,
        request: Request<v1::GetVialRequest>,
    ) -> Result<Response<v1::GetVialResponse>, Status> {
        let asked: VialName = name("name", &request.get_ref().name)?;
        let vial = self.vial(asked).await?;
        Ok(Response::new(v1::GetVialResponse { vial: Some(vial) }))
    }

    async fn list_vials(
        &self,
        request: Request<v1::ListVialsRequest>,
    ) -> Result<Response<v1::ListVialsResponse>, Status> {
        let asked = request.into_inner();
        let filter = Filter::read(&asked)?;
        let state = asked.state.to_string();
        let arguments = [asked.place.as_str(), asked.product.as_str(), state.as_str()];
        let page =
            Page::<VialName>::read(asked.page_size, &asked.page_token, "ListVials", &arguments)?;
        let first = page.after.unwrap_or(VialName { delivery: 0, number: 0 });
        let published = self.published();
        let vials = published.state.vials_from(first).filter(|vial| filter.takes(vial));
        let (vials, next_page_token) = page.cut(vials, |vial| vial.name());
        let vials = vials.into_iter().map(|vial| vial_to_wire(vial)).collect();
        Ok(Response::new(v1::ListVialsResponse { vials, next_page_token }))
    }

    async fn get_balances(
        &self,
        request: Request<v1::GetBalancesRequest>,
    ) -> Result<Response<v1::GetBalancesResponse>, Status> {
        let only: Option<PlaceName> = optional_name("place", &request.get_ref().place)?;
        let published = self.published();
        let state = &published.state;
        if let Some(place) = &only
            && state.place(place).is_none()
        {
            return Err(Failure::NotFound(place.to_string()).into());
        }
        let balances = state
            .on_hand()
            .iter()
            .filter(|((place, _), _)| only.as_ref().is_none_or(|only| only == place))
            .map(|((place, product), on_hand)| message::balance(place, product, on_hand))
            .collect();
        Ok(Response::new(v1::GetBalancesResponse { balances, size: state.size() }))
    }
}

impl Handlers {
    /// A vial now; of a closed one, what its entries say.
    pub(super) async fn vial(&self, name: VialName) -> Result<v1::Vial, Failure> {
        let published = self.published();
        let state = &published.state;
        if let Some(vial) = state.vial(name) {
            return Ok(vial_to_wire(vial));
        }
        if !state.was_received(name) {
            return Err(Failure::NotFound(name.to_string()));
        }
        let mut history = History::default();
        for entry in self.entries_of(name.to_string(), name.delivery, None).await? {
            history.add(state, name, &entry);
        }
        history.vial.ok_or_else(|| unreadable(name.delivery))
    }
}

/// What the entries of a vial say of it, one after the other.
///
/// The state forgets a vial once nothing is left of it; its entries do not.
#[derive(Default)]
struct History {
    vial: Option<v1::Vial>,
    beyond_use_micros: i64,
}

impl History {
    fn add(&mut self, state: &State, name: VialName, entry: &ParsedEntry) {
        let Some(vial) = &mut self.vial else {
            let received = decide::received(state, entry).into_iter().flatten();
            let mut received = received.filter(|vial| vial.name() == name);
            self.vial = received.next().map(|vial| {
                self.beyond_use_micros = vial.label().beyond_use_micros;
                vial_to_wire(&vial)
            });
            return;
        };
        let balances = &entry.outcome.balances;
        let balance = balances.iter().find(|balance| balance.vial == vial.name);
        // A refusal touches a vial and changes nothing.
        let Some(balance) = balance else { return };
        vial.balance = Some(balance.clone());
        match &entry.outcome.result {
            Some(outcome::Result::Dispensing(part)) if !part.whole_container => {
                let opened = entry.sealed.recorded_time();
                let beyond = opened.checked_add_micros(self.beyond_use_micros);
                let beyond = beyond.unwrap_or(Timestamp::MAX);
                vial.opened_time.get_or_insert(timestamp_to_wire(opened));
                vial.beyond_use_time.get_or_insert(timestamp_to_wire(beyond));
            }
            Some(outcome::Result::VialReturned(returned)) => vial.place.clone_from(&returned.place),
            _ => {}
        }
    }
}

/// Which vials a list is for.
struct Filter {
    place: Option<PlaceName>,
    product: Option<ProductName>,
    state: Option<v1::VialState>,
}

impl Filter {
    fn read(asked: &v1::ListVialsRequest) -> Result<Self, Failure> {
        let state = v1::VialState::try_from(asked.state)
            .map_err(|_| violation("state", "is not a state of a vial; leave it out for all"))?;
        Ok(Self {
            place: optional_name("place", &asked.place)?,
            product: optional_name("product", &asked.product)?,
            state: (state != v1::VialState::Unspecified).then_some(state),
        })
    }

    fn takes(&self, vial: &Vial) -> bool {
        self.place.as_ref().is_none_or(|place| place == vial.place())
            && self.product.as_ref().is_none_or(|product| *product == vial.label().product)
            && self.state.is_none_or(|state| state == standing_to_wire(vial.standing()))
    }
}
