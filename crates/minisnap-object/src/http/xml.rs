//! Finds elements in an answer in XML, with the texts of their children.

use quick_xml::{
    Reader,
    escape::resolve_predefined_entity,
    events::{BytesRef, Event},
};
use std::ops::Range;

/// An element whose children have only text.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: String,
    /// The bytes of the element, with its tags.
    pub(super) range: Range<usize>,
    children: Vec<Child>,
}

#[derive(Debug)]
struct Child {
    name: String,
    /// `None` if it can't be decoded.
    text: Option<String>,
}

/// The text of a child.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ChildText<'a> {
    Text(&'a str),
    /// It has bytes or references that no text has.
    Undecodable,
    /// There is no such child.
    Missing,
}

impl Element {
    pub(super) fn child(&self, name: &str) -> ChildText<'_> {
        match self.children.iter().find(|child| child.name == name).map(|child| child.text.as_deref()) {
            Some(Some(text)) => ChildText::Text(text),
            Some(None) => ChildText::Undecodable,
            None => ChildText::Missing,
        }
    }

    /// The text of a child; empty without one.
    pub(super) fn text(&self, name: &str) -> &str {
        match self.child(name) {
            ChildText::Text(text) => text,
            ChildText::Undecodable | ChildText::Missing => "",
        }
    }

    fn append(&mut self, text: Option<&str>) {
        let Some(child) = self.children.last_mut() else { return };
        match (&mut child.text, text) {
            (Some(so_far), Some(text)) => so_far.push_str(text),
            (so_far, _) => *so_far = None,
        }
    }
}

/// The elements with one of these names, at any depth, but not inside each other. `None` if `xml` isn't XML.
pub(super) fn elements(xml: &[u8], names: &[&str]) -> Option<Vec<Element>> {
    let mut reader = Reader::from_reader(xml);
    let mut found = Vec::new();
    // The element that is open, and how many tags are open in it.
    let mut open: Option<(Element, usize)> = None;
    loop {
        let start = position(&reader);
        let event = reader.read_event().ok()?;
        let end = position(&reader);
        match (event, &mut open) {
            (Event::Eof, _) => return Some(found),
            (Event::Start(tag), None) if is_one_of(names, tag.local_name().as_ref()) => {
                open =
                    Some((Element { name: name(tag.local_name().as_ref()), range: start..end, children: vec![] }, 0));
            }
            (Event::Start(tag), Some((element, depth))) => {
                if *depth == 0 {
                    let name = name(tag.local_name().as_ref());
                    element.children.push(Child { name, text: Some(String::new()) });
                }
                *depth += 1;
            }
            (Event::End(_), Some((_, depth @ 1..))) => *depth -= 1,
            (Event::End(_), opened @ Some(_)) => found.extend(opened.take().map(|(mut element, _)| {
                element.range.end = end;
                element
            })),
            (Event::Empty(tag), Some((element, 0))) => {
                element.children.push(Child { name: name(tag.local_name().as_ref()), text: Some(String::new()) });
            }
            (Event::Text(text), Some((element, 1))) => element.append(text.decode().ok().as_deref()),
            (Event::CData(text), Some((element, 1))) => element.append(text.decode().ok().as_deref()),
            (Event::GeneralRef(reference), Some((element, 1))) => element.append(resolve(&reference).as_deref()),
            _ => {}
        }
    }
}

fn is_one_of(names: &[&str], name: &[u8]) -> bool {
    names.iter().any(|wanted| wanted.as_bytes() == name)
}

fn name(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The text for `&amp;` or `&#x2f;`.
fn resolve(reference: &BytesRef<'_>) -> Option<String> {
    match reference.resolve_char_ref().ok()? {
        Some(character) => Some(character.to_string()),
        None => resolve_predefined_entity(&reference.decode().ok()?).map(str::to_owned),
    }
}

fn position(reader: &Reader<&[u8]>) -> usize {
    // A position in memory fits into a usize.
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_children_are_unescaped() {
        let xml = "<?xml version=\"1.0\"?>\n<List><Name>b</Name><Contents>\n <Key>a&amp;b/&#x2f;&#47;<![CDATA[<c>]]></Key>\
                   <Owner><Key>not this</Key></Owner><Size/></Contents></List>";
        let found = elements(xml.as_bytes(), &["Contents"]).expect("XML");
        let [contents] = &found[..] else { panic!("{found:?}") };
        assert_eq!(contents.child("Key"), ChildText::Text("a&b///<c>"));
        assert_eq!((contents.child("Size"), contents.child("ETag")), (ChildText::Text(""), ChildText::Missing));
        assert!(
            xml[contents.range.clone()].starts_with("<Contents>") && xml[..contents.range.end].ends_with("</Contents>")
        );
    }

    #[test]
    fn text_with_invalid_bytes_or_references_is_undecodable() {
        for key in [&b"a\xffb"[..], b"a&unknown;b", b"a&#0;b"] {
            let xml = [b"<L><Contents><Key>", key, b"</Key></Contents></L>"].concat();
            let found = elements(&xml, &["Contents"]).expect("XML");
            assert_eq!(found[0].child("Key"), ChildText::Undecodable, "{key:?}");
        }
    }

    #[test]
    fn other_texts_have_no_elements() {
        assert_eq!(elements(b"<L><Contents><Key>a</L>", &["Contents"]).map(|found| found.len()), None);
        assert_eq!(elements(b"no XML", &["Contents"]).map(|found| found.len()), Some(0));
        assert_eq!(elements(b"", &["Contents"]).map(|found| found.len()), Some(0));
    }
}
