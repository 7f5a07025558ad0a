//! Figures of pictures.

use std::{path::Path, process::ExitCode};

use mpm_core::{MpmBackend, backend::BackendTask, weights::LoadOptions};
use mpm_train::picture_metrics::frechet_distance;
use mpm_vision::inception::{FEATURES, InceptionV3};
use serde_json::json;
use viscpm_common::cli::{BoxError, resolve, resolve_model, with_progress};
use viscpm_evaluate::paint::{
    ClipModel, Painting, PictureSet, measure_fit, paint_missing, picture_files, picture_statistics,
};
use viscpm_paint::{ModelFiles, Studio};

use super::{
    args::PaintArgs,
    report::{probe, report},
    watched::watched,
};

/// Paints what is not there, if a model is named, and prints the figures.
pub fn run(args: PaintArgs) -> Result<ExitCode, BoxError> {
    let beside = args.pictures.parent().unwrap_or(Path::new(""));
    let set = PictureSet::open(&args.pictures, args.folder.as_deref().unwrap_or(beside))?;
    if args.model.is_none() {
        set.check_pictures()?;
    }
    probe(args.json.as_deref())?;
    let backend = args.backend;
    backend.run(Measurement { args, set })?
}

struct Measurement {
    args: PaintArgs,
    set: PictureSet,
}

impl BackendTask for Measurement {
    type Output = Result<ExitCode, BoxError>;

    fn run<B: MpmBackend>(self, device: B::Device) -> Self::Output {
        // The small models first: mistakes come to light before anything is painted. They are
        // loaded as they are stored: figures do not depend on the dtype of the paint model.
        let stored = LoadOptions::default();
        let real = self.args.reference.as_deref().map(picture_files);
        let real = real.transpose()?;
        let clip = self.args.clip.as_deref().map(resolve_model).transpose()?;
        let clip = clip.map(|folder| ClipModel::<B>::open(&folder, &device, &stored));
        let clip = clip.transpose()?;
        let inception = self.args.inception.as_deref().map(resolve).transpose()?;
        let inception = inception.map(|file| InceptionV3::<B>::open(&file, &device, &stored));
        let inception = inception.transpose()?;
        if let Some(folder) = &self.args.model
            && let Some(code) = self.paint::<B>(folder, &device)?
        {
            return Ok(code);
        }
        let (mut table, mut figures) = (String::new(), json!({ "pictures": self.args.pictures }));
        if let Some(model) = &clip {
            let fit = measure_fit(&self.set, model, self.args.batch, &device)?;
            table += &fit.to_string();
            figures["clip"] = json!({ "model": self.args.clip, "rows": fit });
        }
        if let (Some(network), Some(real)) = (&inception, &real) {
            let statistics = |files| {
                picture_statistics(files, self.args.batch, FEATURES, &device, |pixels| {
                    Ok(network.features(pixels)?)
                })
            };
            let painted = self.set.distinct();
            let distance = frechet_distance(&statistics(&painted)?, &statistics(real)?)?;
            let (ours, theirs) = (painted.len(), real.len());
            table += &format!(
                "Fréchet distance {distance:.3} ({ours} pictures against {theirs} real ones)\n"
            );
            figures["frechet"] = json!({
                "distance": distance,
                "pictures": ours,
                "real_pictures": theirs,
                "reference": self.args.reference,
            });
        }
        report(&table, self.args.json.as_deref(), &figures)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Measurement {
    /// Paints what is not there; an exit code if that was broken off.
    fn paint<B: MpmBackend>(
        &self,
        folder: &Path,
        device: &B::Device,
    ) -> Result<Option<ExitCode>, BoxError> {
        let set = &self.set;
        if set.distinct().iter().all(|path| path.exists()) {
            return Ok(None);
        }
        let mut files = ModelFiles::folder(&resolve_model(folder)?)?;
        if let Some(adapter) = &self.args.lora {
            files = files.with_adapter(resolve_model(adapter)?);
        }
        let precision = self.args.dtype.precision();
        let text_encoder = with_progress("loading", precision, |options| {
            files.text_encoder(device, options)
        })?;
        let painter = with_progress("loading", precision, |options| {
            files.painter(device, options)
        })?;
        let painting = Painting::<B> {
            studio: Studio::new(text_encoder, painter),
            settings: files.settings(),
            seed: self.args.seed,
        };
        let goes_on = "run it again to go on";
        watched(set.entries.len(), "pictures", goes_on, |watch| {
            paint_missing(set, &painting, watch)
        })
    }
}
