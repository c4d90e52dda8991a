//! A foreign parser reads what was printed.

use roxmltree::{Document, Node, ParsingOptions};

/// The page as a tree, if it is well-formed.
pub fn parse(page: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap_or_else(|error| panic!("{error}\n{page}"))
}

/// All the text in a node, with a space between its pieces.
pub fn text(node: Node<'_, '_>) -> String {
    let pieces = node.descendants().filter_map(|it| it.text().filter(|_| it.is_text()));
    pieces.map(str::trim).filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The section with this heading.
pub fn section<'a, 'd>(page: &'a Document<'d>, heading: &str) -> Node<'a, 'd> {
    page.descendants()
        .find(|node| {
            node.has_tag_name("section")
                && node.first_element_child().is_some_and(|it| it.text() == Some(heading))
        })
        .unwrap_or_else(|| panic!("no section {heading}"))
}

/// The rows of the tables in a node, cell by cell, without the headings.
pub fn rows(node: Node<'_, '_>) -> Vec<Vec<String>> {
    let body = node.descendants().filter(|it| it.has_tag_name("tbody"));
    body.flat_map(|body| body.children().filter(|it| it.has_tag_name("tr")))
        .map(|row| row.children().filter(|it| it.has_tag_name("td")).map(text).collect())
        .collect()
}

/// The elements with this name, in SVG or HTML.
pub fn elements<'a, 'd>(page: &'a Document<'d>, name: &'a str) -> Vec<Node<'a, 'd>> {
    page.descendants().filter(|node| node.is_element() && node.tag_name().name() == name).collect()
}

/// What is drawn as text in a picture.
pub fn labels(picture: &str) -> Vec<String> {
    let page = parse(picture);
    elements(&page, "text").into_iter().map(text).collect()
}
