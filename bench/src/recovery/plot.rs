//! The plot of `docs/recovery.md`.

use crate::{Measured, Result};
use plotters::prelude::*;
use std::{fs, path::Path};

/// Told apart by everybody, also by those who don't see all colours (Okabe and Ito).
const COLOURS: [RGBColor; 2] = [RGBColor(0, 114, 178), RGBColor(213, 94, 0)];
const FONT: &str = "sans-serif";

type Points = Vec<(f64, f64)>;

/// Draws the time over the number of changes, both logarithmic: of the log alone as a line, with a snapshot dashed.
pub fn draw(path: &str, domains: &[(&str, &Vec<Measured>)]) -> Result<()> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (860, 520)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .margin(20)
            .x_label_area_size(50)
            .y_label_area_size(80)
            .build_cartesian_2d((800f64..1.3e6).log_scale(), (0.3f64..1e4).log_scale())?;
        chart
            .configure_mesh()
            .x_desc("changes since the beginning")
            .y_desc("time to recover")
            .x_label_formatter(&|changes| format!("{changes}"))
            .y_label_formatter(&|ms| if *ms < 1e3 { format!("{ms} ms") } else { format!("{} s", ms / 1e3) })
            .label_style((FONT, 15))
            .axis_desc_style((FONT, 17))
            .light_line_style(RGBColor(240, 240, 240))
            .bold_line_style(RGBColor(215, 215, 215))
            .draw()?;
        for ((name, measured), colour) in domains.iter().zip(COLOURS) {
            let points = |time: fn(&Measured) -> f64| -> Points {
                measured.iter().map(|measured| (measured.layout.mutations as f64, time(measured))).collect()
            };
            let log_alone = points(|measured| measured.log_alone.as_secs_f64() * 1e3);
            let with_snapshot = points(|measured| measured.with_snapshot.as_secs_f64() * 1e3);
            let marks = log_alone.clone().into_iter().chain(with_snapshot.clone());
            chart
                .draw_series(LineSeries::new(log_alone, colour.stroke_width(3)))?
                .label(format!("{name}: log alone"))
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 34, y)], colour.stroke_width(3)));
            chart
                .draw_series(DashedLineSeries::new(with_snapshot, 8, 6, colour.stroke_width(3)))?
                .label(format!("{name}: snapshot plus tail"))
                .legend(move |at| {
                    let dash = |from| PathElement::new([(from, 0), (from + 8, 0)], colour.stroke_width(3));
                    EmptyElement::at(at) + dash(0) + dash(13) + dash(26)
                });
            chart.draw_series(marks.map(|point| Circle::new(point, 5, colour.filled())))?;
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
    fs::write(Path::new(path), svg)?;
    Ok(())
}
