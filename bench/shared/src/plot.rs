//! Line plots with two logarithmic axes, as SVG.

use crate::Result;
use plotters::prelude::*;
use std::{fs, ops::Range, path::Path};

// Distinguishable also with colour blindness (Okabe and Ito).
pub const BLUE: RGBColor = RGBColor(0, 114, 178);
pub const VERMILION: RGBColor = RGBColor(213, 94, 0);
pub const GREEN: RGBColor = RGBColor(0, 158, 115);
pub const ORANGE: RGBColor = RGBColor(230, 159, 0);
pub const SKY: RGBColor = RGBColor(86, 180, 233);
pub const PURPLE: RGBColor = RGBColor(204, 121, 167);
pub const GREY: RGBColor = RGBColor(120, 120, 120);
pub const BLACK: RGBColor = RGBColor(0, 0, 0);

pub use plotters::style::RGBColor;

const FONT: &str = "sans-serif";

pub struct Plot<'a> {
    pub x: Axis<'a>,
    pub y: Axis<'a>,
    pub lines: Vec<Line>,
}

pub struct Axis<'a> {
    pub description: &'a str,
    pub range: Range<f64>,
    /// The labels are powers of this base.
    pub base: f64,
    pub label: fn(f64) -> String,
}

pub struct Line {
    pub name: String,
    pub colour: RGBColor,
    pub dashed: bool,
    pub points: Vec<(f64, f64)>,
}

/// The range of an axis for these values, with margins.
pub fn range(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (least, most) =
        values.fold((f64::MAX, f64::MIN_POSITIVE), |(least, most), value| (least.min(value), most.max(value)));
    least.min(most) * 0.6..most * 1.7
}

/// Writes the plot to `path` as SVG.
///
/// # Errors
///
/// If the plot can't be drawn or written.
pub fn draw(path: &Path, plot: &Plot) -> Result<()> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (860, 520)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart =
            ChartBuilder::on(&area).margin(20).x_label_area_size(50).y_label_area_size(80).build_cartesian_2d(
                plot.x.range.clone().log_scale().base(plot.x.base),
                plot.y.range.clone().log_scale().base(plot.y.base),
            )?;
        chart
            .configure_mesh()
            .x_desc(plot.x.description)
            .y_desc(plot.y.description)
            .x_label_formatter(&|value| (plot.x.label)(*value))
            .y_label_formatter(&|value| (plot.y.label)(*value))
            .label_style((FONT, 15))
            .axis_desc_style((FONT, 17))
            .light_line_style(RGBColor(240, 240, 240))
            .bold_line_style(RGBColor(215, 215, 215))
            .draw()?;
        for Line { name, colour, dashed, points } in &plot.lines {
            let (points, style) = (points.iter().copied(), colour.stroke_width(3));
            let drawn = match dashed {
                true => chart.draw_series(DashedLineSeries::new(points.clone(), 8, 6, style))?,
                false => chart.draw_series(LineSeries::new(points.clone(), style))?,
            };
            // Three dashes; without gaps, they form a line.
            let length = if *dashed { 8 } else { 13 };
            drawn.label(name).legend(move |at| {
                let dash = |from| PathElement::new([(from, 0), (from + length, 0)], style);
                EmptyElement::at(at) + dash(0) + dash(13) + dash(26)
            });
            chart.draw_series(points.map(|point| Circle::new(point, 5, colour.filled())))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .legend_area_size(44)
            .label_font((FONT, 15))
            .background_style(WHITE)
            .border_style(RGBColor(200, 200, 200))
            .draw()?;
        area.present()?;
    }
    fs::write(path, svg).map_err(|error| format!("{}: {error}", path.display()).into())
}
