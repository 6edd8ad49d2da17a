//! What a page shows, read from its HTML as it was sent: without a browser and without JavaScript.

/// The visible text of a page: tags become spaces, entities become characters, spaces become one.
pub fn text(html: &str) -> String {
    let mut shown = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        shown.push_str(&rest[..start]);
        shown.push(' ');
        let tag = &rest[start..];
        // What stands in a style or a script is not shown.
        let hidden = ["style", "script"].into_iter().find(|name| tag[1..].starts_with(name));
        let end = hidden.map_or_else(
            || tag.find('>'),
            |name| tag.find(&format!("</{name}>")).map(|at| at + "</".len() + name.len()),
        );
        let Some(end) = end else { return collapsed(&shown) };
        rest = &tag[end + 1..];
    }
    shown.push_str(rest);
    collapsed(&shown)
}

fn collapsed(text: &str) -> String {
    let text = text.replace("&nbsp;", " ").replace("&lt;", "<").replace("&gt;", ">").replace("&#39;", "'");
    let text = text.replace("&#x27;", "'").replace("&quot;", "\"").replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every value of this attribute, in the order of the page.
pub fn attributes(html: &str, name: &str) -> Vec<String> {
    let opening = format!(" {name}=\"");
    html.split(&opening).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

/// Every link on the page whose target begins like this.
pub fn links(html: &str, beginning: &str) -> Vec<String> {
    attributes(html, "href").into_iter().filter(|target| target.starts_with(beginning)).collect()
}

/// Every amount on the page in micro-tokens, in its order: `<data class="amount" value="…">`.
pub fn amounts(html: &str) -> Vec<u64> {
    let values = html.split("class=\"amount\" value=\"").skip(1).filter_map(|rest| rest.split('"').next());
    values.filter_map(|value| value.parse().ok()).collect()
}

/// The part of a page from where `beginning` stands to the next `end`; empty where it does not stand there.
pub fn part<'a>(html: &'a str, beginning: &str, end: &str) -> &'a str {
    let from = html.find(beginning).map_or("", |at| &html[at..]);
    from.find(end).map_or(from, |at| &from[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<html><head><style>a{b:c}</style></head><body data-n=\"1\">Two&nbsp;<b>words</b> &amp; a \
        <a href=\"/devices/ab\">link</a><script>1 < 2</script>.</body>";

    #[test]
    fn only_what_is_shown_is_text() {
        assert_eq!(text(PAGE), "Two words & a link .");
    }

    #[test]
    fn attributes_and_links_are_found() {
        assert_eq!(attributes(PAGE, "data-n"), ["1"]);
        assert_eq!(links(PAGE, "/devices/"), ["/devices/ab"]);
    }
}
