//! Plots of shares, as SVG.

use std::{ops::Range, path::Path};

use emoji_training::BoxError;
use plotters::{coord::Shift, prelude::*};

use crate::figures::Mean;

const SIZE: (u32, u32) = (800, 420);

/// Colours that people with colour blindness can tell apart (Okabe and Ito).
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(120, 120, 120),
    RGBColor(0, 0, 0),
];

/// The end of an axis of shares: above the bars is room for the legend.
const TOP: f64 = 1.3;

/// The room of a group that its bars take.
const BARS: f64 = 0.8;

/// Values of one kind.
pub struct Series {
    /// In the legend.
    pub name: String,
    /// One for each group or point.
    pub means: Vec<Option<Mean>>,
}

/// Groups of bars with their standard errors.
pub struct Bars {
    /// Above the plot.
    pub title: String,
    /// Below the groups.
    pub groups: Vec<String>,
    /// A bar of each for each group.
    pub series: Vec<Series>,
}

/// Curves with standard errors over points at equal distances.
pub struct Curves {
    /// Above the plot.
    pub title: String,
    /// Below the points.
    pub x: &'static str,
    /// The points.
    pub points: Vec<String>,
    /// A curve of each.
    pub series: Vec<Series>,
}

/// Points.
pub struct Scatter {
    /// Above the plot.
    pub title: String,
    /// Below it.
    pub x: &'static str,
    /// Beside it.
    pub y: &'static str,
    /// In colours of their own.
    pub series: Vec<ScatterSeries>,
}

/// Points of one kind: shares, 0 to 1.
pub struct ScatterSeries {
    /// In the legend.
    pub name: String,
    /// The points.
    pub points: Vec<(f64, f64)>,
}

fn colour(index: usize) -> RGBColor {
    COLOURS[index % COLOURS.len()]
}

fn percent(share: &f64) -> String {
    match *share > 1.0 + f64::EPSILON {
        true => String::new(),
        false => format!("{:.0} %", 100.0 * share),
    }
}

impl Bars {
    /// Writes the plot.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), BoxError> {
        let root = SVGBackend::new(file, SIZE).into_drawing_area();
        let mut chart = chart(
            &root,
            &self.title,
            -0.5..self.groups.len() as f64 - 0.5,
            0.0..TOP,
        )?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .max_light_lines(0)
            .x_labels(2 * self.groups.len() + 1)
            .x_label_formatter(&|x| label(&self.groups, *x))
            .y_label_formatter(&percent)
            .draw()?;
        let width = BARS / self.series.len() as f64;
        for (index, series) in self.series.iter().enumerate() {
            let left = |group: usize| group as f64 - BARS / 2.0 + index as f64 * width;
            let means = series.means.iter().enumerate();
            let means: Vec<_> = means
                .filter_map(|(group, mean)| Some((group, (*mean)?)))
                .collect();
            let bars = means.iter().map(|(group, mean)| {
                let corners = [(left(*group), 0.0), (left(*group) + width, mean.value)];
                Rectangle::new(corners, colour(index).filled())
            });
            chart
                .draw_series(bars)?
                .label(&series.name)
                .legend(move |(x, y)| {
                    Rectangle::new([(x, y - 5), (x + 10, y + 5)], colour(index).filled())
                });
            chart.draw_series(
                means
                    .iter()
                    .map(|(group, mean)| error_bar(left(*group) + width / 2.0, *mean, BLACK)),
            )?;
        }
        legend(&mut chart, SeriesLabelPosition::UpperRight)?;
        Ok(root.present()?)
    }
}

impl Curves {
    /// Writes the plot.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), BoxError> {
        let root = SVGBackend::new(file, SIZE).into_drawing_area();
        let mut chart = chart(
            &root,
            &self.title,
            -0.2..self.points.len() as f64 - 0.8,
            0.0..TOP,
        )?;
        chart
            .configure_mesh()
            .max_light_lines(0)
            .x_desc(self.x)
            .x_labels(2 * self.points.len() + 1)
            .x_label_formatter(&|x| label(&self.points, *x))
            .y_label_formatter(&percent)
            .draw()?;
        for (index, series) in self.series.iter().enumerate() {
            let means = series.means.iter().enumerate();
            let means: Vec<_> = means
                .filter_map(|(point, mean)| Some((point as f64, (*mean)?)))
                .collect();
            let line = means.iter().map(|(point, mean)| (*point, mean.value));
            chart
                .draw_series(LineSeries::new(line, colour(index).stroke_width(2)))?
                .label(&series.name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 14, y)], colour(index).stroke_width(2))
                });
            chart.draw_series(
                means
                    .iter()
                    .map(|(point, mean)| error_bar(*point, *mean, colour(index))),
            )?;
        }
        legend(&mut chart, SeriesLabelPosition::UpperRight)?;
        Ok(root.present()?)
    }
}

impl Scatter {
    /// Writes the plot.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), BoxError> {
        let root = SVGBackend::new(file, SIZE).into_drawing_area();
        let mut chart = chart(&root, &self.title, 0.0..1.0, 0.0..1.0)?;
        chart
            .configure_mesh()
            .max_light_lines(0)
            .x_desc(self.x)
            .y_desc(self.y)
            .x_label_formatter(&percent)
            .y_label_formatter(&percent)
            .draw()?;
        for (index, series) in self.series.iter().enumerate() {
            let points = series.points.iter();
            chart
                .draw_series(points.map(|&point| Circle::new(point, 4, colour(index).filled())))?
                .label(&series.name)
                .legend(move |(x, y)| Circle::new((x + 5, y), 4, colour(index).filled()));
        }
        legend(&mut chart, SeriesLabelPosition::MiddleMiddle)?;
        Ok(root.present()?)
    }
}

/// The label of a place, where there is one.
fn label(labels: &[String], x: f64) -> String {
    let is_place = (x - x.round()).abs() < 1e-6 && x > -0.1;
    let place = is_place.then(|| labels.get(x.round() as usize));
    place.flatten().cloned().unwrap_or_default()
}

fn error_bar(
    x: f64,
    mean: Mean,
    colour: RGBColor,
) -> ErrorBar<f64, f64, plotters::element::ErrorBarOrientV<f64, f64>> {
    let error = mean.error.unwrap_or_default();
    let (low, high) = (mean.value - error, mean.value + error);
    ErrorBar::new_vertical(x, low, mean.value, high, colour.stroke_width(1), 6)
}

type Chart<'a> = ChartContext<
    'a,
    SVGBackend<'a>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

/// An empty chart.
fn chart<'a>(
    root: &DrawingArea<SVGBackend<'a>, Shift>,
    title: &str,
    x: Range<f64>,
    y: Range<f64>,
) -> Result<Chart<'a>, BoxError> {
    root.fill(&WHITE)?;
    Ok(ChartBuilder::on(root)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d(x, y)?)
}

fn legend<'a>(chart: &mut Chart<'a>, position: SeriesLabelPosition) -> Result<(), BoxError> {
    chart
        .configure_series_labels()
        .position(position)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}
