//! A lot that is recalled, or in doubt: nothing of it is dispensed any more.

use super::authority::PHARMACISTS;
use super::{Case, Draft, Signer};
use crate::command::{MAX_CONTAINERS, QuarantineCommand};
use crate::pb::v1::{self, outcome};
use crate::refusal::Refusal;
use crate::state::{Change, QuarantinedLot, Subject};

impl Case<'_> {
    /// The lot is blocked at once and whole, also what comes in later. Its vials go to quarantine, as many as an entry
    /// can hold balances of; the same act again takes the others.
    pub(super) fn quarantine(
        &self,
        signer: &Signer,
        act: &QuarantineCommand,
    ) -> Result<Draft, Refusal> {
        self.need(signer, PHARMACISTS)?;
        let lot = act.lot.to_string();
        let vials: Vec<_> = self.state.vials_of_lot(&act.product, &lot).collect();
        let known = self.state.formulary().zip(act.product.id().parse().ok());
        let known = known.is_some_and(|(record, id)| record.formulary.product(&id).is_some());
        if vials.is_empty() && !known {
            return Err(Refusal::Unknown { resource: act.product.to_string() });
        }

        // From here the quarantine is accepted.
        let in_hands = vials.iter().flat_map(|vial| vial.portions().keys());
        let in_hands: Vec<String> = in_hands.map(ToString::to_string).collect();
        let free: Vec<_> = vials.into_iter().filter(|vial| !vial.quarantined()).collect();
        let most = usize::try_from(MAX_CONTAINERS).expect("a few hundred");
        let (now, later) = free.split_at_checked(most).unwrap_or((&free, &[]));
        let count = |vials: &[_]| u32::try_from(vials.len()).unwrap_or(u32::MAX);
        let mut draft = Draft::new(outcome::Result::LotQuarantined(v1::LotQuarantined {
            product: act.product.to_string(),
            lot: lot.clone(),
            vials: count(now),
            vials_left: count(later),
            in_hands,
        }));
        draft.touch(&act.product);
        draft.subjects.insert(Subject::lot(&lot));
        for vial in now {
            draft.put_vial(vial.as_ref().clone().quarantine());
        }
        let (entry, since, reason) = (self.index, self.now, act.reason.clone());
        let record = QuarantinedLot { entry, since, reason };
        // Since when it was known is what counts for what was given.
        if self.state.lot(&act.product, &lot).is_none() {
            draft.change(Change::QuarantineLot(act.product.clone(), lot, record));
        }
        Ok(draft)
    }
}
