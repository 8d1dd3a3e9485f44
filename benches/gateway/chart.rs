//! A bar for each case, as SVG: readable where the page is light and where it is dark.

use std::fmt::Write as _;

use crate::measure::Measured;

/// The chart of what each case adds.
pub fn svg(measured: &Measured) -> String {
    let bars: Vec<(&str, &str, f64)> = measured
        .cases
        .iter()
        .filter_map(|figures| Some((figures.label.as_str(), colour(&figures.name), figures.added?.max(0.0))))
        .collect();
    let longest = bars.iter().map(|(_, _, added)| *added).fold(1.0, f64::max);
    let height = TOP + bars.len() * STEP + 10;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-label="{TITLE}">
<style>
text {{ font: 13px system-ui, sans-serif; fill: #24292f }}
.title {{ font-weight: 600 }}
.gatepost {{ fill: #1f6feb }}
.rival {{ fill: #d4842a }}
.floor {{ fill: #8b949e }}
@media (prefers-color-scheme: dark) {{ text {{ fill: #e6edf3 }} }}
</style>
<text class="title" x="0" y="18">{TITLE}</text>
"##
    );
    for (at, (label, class, added)) in bars.iter().enumerate() {
        let (y, size) = (TOP + at * STEP, added / longest * (WIDTH - LABELS - FIGURES) as f64);
        let (text_y, end) = (y + 13, LABELS as f64 + size + 6.0);
        // Writing into a string cannot fail.
        let _ = writeln!(
            svg,
            r#"<text x="{}" y="{text_y}" text-anchor="end">{}</text><rect class="{class}" x="{LABELS}" y="{y}" width="{size:.1}" height="16" rx="2"/><text x="{end:.1}" y="{text_y}">{added:.1}</text>"#,
            LABELS - 8,
            label.replace('&', "&amp;").replace('<', "&lt;"),
        );
    }
    svg + "</svg>\n"
}

fn colour(name: &str) -> &'static str {
    match name {
        name if name.starts_with("gatepost") => "gatepost",
        name if name.starts_with("jwt_authn") => "rival",
        _ => "floor",
    }
}

const TITLE: &str = "CPU time that a filter adds to a request, in microseconds";
const WIDTH: usize = 860;
const LABELS: usize = 290;
const FIGURES: usize = 60;
const TOP: usize = 34;
const STEP: usize = 24;
