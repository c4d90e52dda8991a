//! `DosingService`: doses, and the formulary that they come from.

use std::sync::Arc;

use prost::Message as _;
use tonic::{Request, Response, Status, async_trait};

use super::error::{Failure, unreadable};
use super::handlers::{Handlers, name, writes};
use super::message;
use super::page::Page;
use crate::command::DoseInputs;
use crate::decide;
use crate::formulary::{ProductId, ProtocolId};
use crate::ledger::{ParsedEntry, RequestKind};
use crate::names::{CalculationName, PersonName};
use crate::pb::v1::{self, dosing_service_server::DosingService, outcome};
use crate::refusal::{Refusal, TreatmentRefusal};
use crate::role::Role;
use crate::service::{Published, ServiceError};
use crate::state::{Check, FormularyRecord};
use crate::wire::{timestamp_from_wire, timestamp_to_wire};

#[async_trait]
impl DosingService for Handlers {
    writes! {
        calculate_dose: CalculateDoseRequest => CalculateDoseResponse,
        check_dose: CheckDoseRequest => CheckDoseResponse,
    }

    async fn preview_dose(
        &self,
        request: Request<v1::PreviewDoseRequest>,
    ) -> Result<Response<v1::PreviewDoseResponse>, Status> {
        let inputs = DoseInputs::parse(request.get_ref().inputs.as_ref());
        let inputs = inputs.map_err(Failure::Invalid)?;
        let published = self.published();
        let (dose_calculation, flags) =
            decide::preview(&published.state, &inputs, self.clock.now())
                .map_err(Failure::Refused)?;
        let dose_calculation = Some(dose_calculation);
        Ok(Response::new(v1::PreviewDoseResponse { dose_calculation, flags }))
    }

    async fn replay_dose(
        &self,
        request: Request<v1::ReplayDoseRequest>,
    ) -> Result<Response<v1::ReplayDoseResponse>, Status> {
        let asking = Self::asking(&request)?;
        let asked: CalculationName = name("name", &request.get_ref().name)?;
        let recorded = self.calculation(asked).await?;
        self.may_see(&asking, asked, &recorded.calculated_by)?;
        Ok(Response::new(self.replayed(asked, recorded).await?))
    }

    async fn get_dose_calculation(
        &self,
        request: Request<v1::GetDoseCalculationRequest>,
    ) -> Result<Response<v1::GetDoseCalculationResponse>, Status> {
        let asking = Self::asking(&request)?;
        let asked: CalculationName = name("name", &request.get_ref().name)?;
        let found = self.calculation(asked).await?;
        self.may_see(&asking, asked, &found.calculated_by)?;
        Ok(Response::new(found))
    }

    async fn list_protocols(
        &self,
        request: Request<v1::ListProtocolsRequest>,
    ) -> Result<Response<v1::ListProtocolsResponse>, Status> {
        let asked = request.into_inner();
        let page =
            Page::<ProtocolId>::read(asked.page_size, &asked.page_token, "ListProtocols", &[])?;
        let published = self.published();
        let formulary = &in_force(&published)?.formulary;
        let (protocols, next_page_token) =
            page.cut(formulary.protocols(), |protocol| protocol.id.clone());
        Ok(Response::new(v1::ListProtocolsResponse {
            protocols: protocols.into_iter().map(|protocol| message::protocol(protocol)).collect(),
            next_page_token,
            formulary_version: formulary.version().to_vec(),
        }))
    }

    async fn list_products(
        &self,
        request: Request<v1::ListProductsRequest>,
    ) -> Result<Response<v1::ListProductsResponse>, Status> {
        let asked = request.into_inner();
        let page =
            Page::<ProductId>::read(asked.page_size, &asked.page_token, "ListProducts", &[])?;
        let published = self.published();
        let formulary = &in_force(&published)?.formulary;
        let (products, next_page_token) =
            page.cut(formulary.products(), |product| product.id.clone());
        Ok(Response::new(v1::ListProductsResponse {
            products: products.into_iter().map(|product| message::product(product)).collect(),
            next_page_token,
            formulary_version: formulary.version().to_vec(),
        }))
    }
}

fn in_force(published: &Published) -> Result<&Arc<FormularyRecord>, Failure> {
    published.state.formulary().ok_or(Failure::Refused(Refusal::NoFormulary))
}

impl Handlers {
    /// A calculation as its entry has it.
    async fn calculation(
        &self,
        asked: CalculationName,
    ) -> Result<v1::GetDoseCalculationResponse, Failure> {
        let unknown = || Failure::NotFound(asked.to_string());
        let bytes = self.service.entry(asked.0).await.map_err(|error| match error {
            ServiceError::NotFound(_) => unknown(),
            other => other.into(),
        })?;
        let entry = ParsedEntry::parse(bytes).map_err(|_| unreadable(asked.0))?;
        if entry.request.kind() != RequestKind::CalculateDose {
            return Err(unknown());
        }
        let Some(outcome::Result::DoseCalculation(calculation)) = entry.outcome.result else {
            return Err(unknown());
        };
        let request = v1::CalculateDoseRequest::decode(entry.request.bytes().clone())
            .map_err(|_| unreadable(asked.0))?;
        let published = self.published();
        let signer = published.state.key(entry.request.key());
        let signer = signer.ok_or_else(|| unreadable(asked.0))?;
        Ok(v1::GetDoseCalculationResponse {
            dose_calculation: Some(calculation),
            inputs: request.inputs,
            calculated_by: signer.person.to_string(),
            recorded_time: Some(timestamp_to_wire(entry.sealed.recorded_time())),
        })
    }

    /// While a calculation waits for its independent check, only who made it and auditors see it: whoever checks must
    /// not have the first result before their eyes.
    pub(super) fn may_see(
        &self,
        asking: &PersonName,
        asked: CalculationName,
        by: &str,
    ) -> Result<(), Failure> {
        let published = self.published();
        let state = &published.state;
        let Some(Check::Waiting { prescriber, .. }) =
            state.calculation(asked.0).map(|calculation| &calculation.check)
        else {
            return Ok(());
        };
        let auditor = state.person(asking).is_some_and(|person| person.holds(&[Role::Auditor]));
        if auditor || asking.to_string() == by {
            return Ok(());
        }
        let who = if *prescriber { "a second prescriber" } else { "a second person" };
        Err(Failure::Refused(TreatmentRefusal::CheckRequired { calculation: asked, who }.into()))
    }

    async fn replayed(
        &self,
        asked: CalculationName,
        recorded: v1::GetDoseCalculationResponse,
    ) -> Result<v1::ReplayDoseResponse, Failure> {
        let published = self.published();
        let state = &published.state;
        let inputs =
            DoseInputs::parse(recorded.inputs.as_ref()).map_err(|_| unreadable(asked.0))?;
        let moment = recorded.recorded_time.as_ref().map(timestamp_from_wire);
        let moment = moment.transpose().ok().flatten().ok_or_else(|| unreadable(asked.0))?;
        let calculation = recorded.dose_calculation.unwrap_or_default();
        // Rules version 1 did not keep what a calculation took from the ledger; the entries before it tell.
        let kept = calculation.context.clone();
        let context = if let Some(context) = &kept {
            context.clone()
        } else {
            let state = self.service.state_before(asked.0).await?;
            decide::context_then(&state, &inputs, moment)
        };
        let context = Some(&context);
        let then = state.formulary_at(asked.0).ok_or_else(|| unreadable(asked.0))?;
        let replayed = decide::replay(then, &inputs, context, moment).map_err(Failure::Refused)?;
        let name = asked.to_string();
        let replayed = v1::DoseCalculation { name, context: kept, ..replayed };
        let now = in_force(&published)?;
        let today = decide::replay(now, &inputs, context, moment);
        Ok(v1::ReplayDoseResponse {
            identical: replayed == calculation,
            recorded: Some(calculation),
            replayed: Some(replayed),
            today_refusal: today.as_ref().err().map(ToString::to_string).unwrap_or_default(),
            today: today.ok(),
            today_formulary_version: now.formulary.version().to_vec(),
            inputs: recorded.inputs,
        })
    }
}
