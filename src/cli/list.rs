//! Lists of any length, page by page.

use super::error::CliError;
use super::session::Session;
use crate::client::Read;
use crate::pb::v1;

/// Items asked for in one page: the most that the server gives.
const PAGE_SIZE: i32 = 1000;

/// A call that answers in pages.
pub(super) trait Paged: Read {
    /// What the pages are made of.
    type Item;

    /// Asks for the page that begins at a token; the first for the empty one.
    fn turn_to(&mut self, page_size: i32, page_token: String);

    /// A page's items, and the token of the next page, which is empty on the last.
    fn open(response: &mut Self::Response) -> (&mut Vec<Self::Item>, &mut String);
}

macro_rules! paged {
    ($($request:ident: $field:ident of $item:ident,)*) => {
        $(impl Paged for v1::$request {
            type Item = v1::$item;

            fn turn_to(&mut self, page_size: i32, page_token: String) {
                self.page_size = page_size;
                self.page_token = page_token;
            }

            fn open(response: &mut Self::Response) -> (&mut Vec<Self::Item>, &mut String) {
                (&mut response.$field, &mut response.next_page_token)
            }
        })*
    };
}

paged! {
    ListPeopleRequest: people of Person,
    ListPlacesRequest: places of Place,
    ListProposalsRequest: proposals of Proposal,
    ListVialsRequest: vials of Vial,
    ListProtocolsRequest: protocols of Protocol,
    ListProductsRequest: products of Product,
    ListEntriesRequest: entries of StoredEntry,
    ListPatientsRequest: patients of Patient,
    ListSessionsRequest: sessions of SessionSummary,
    ListPlansRequest: plans of Plan,
}

impl Session {
    /// All pages as one answer, up to `limit` items; the token of the answer says whether there
    /// would be more.
    pub(super) async fn list<P: Paged>(
        &self,
        mut request: P,
        limit: usize,
    ) -> Result<P::Response, CliError> {
        let mut whole = P::Response::default();
        let mut token = String::new();
        loop {
            let missing = limit.saturating_sub(P::open(&mut whole).0.len());
            let page_size = i32::try_from(missing).unwrap_or(PAGE_SIZE).clamp(1, PAGE_SIZE);
            request.turn_to(page_size, std::mem::take(&mut token));
            let mut page = self.ask(request.clone()).await?;
            // The later page carries whatever else the answer has; its items go behind the earlier
            // ones.
            let mut items = std::mem::take(P::open(&mut whole).0);
            items.append(P::open(&mut page).0);
            *P::open(&mut page).0 = items;
            whole = page;
            let (items, next) = P::open(&mut whole);
            if next.is_empty() || items.len() >= limit {
                return Ok(whole);
            }
            token.clone_from(next);
        }
    }
}
