//! New chat models from parts of others.

use burn::{backend::Flex, tensor::backend::Backend};
use mpm_core::weights::Precision;
use mpm_vision::{
    FeatureSelection,
    connector::{MlpConnectorConfig, ResamplerConfig},
    visual_module::ConnectorConfig,
};
use viscpm_chat::VisualSource;
use viscpm_common::cli::{BoxError, resolve_model, with_progress};

use crate::args::{AssembleArgs, ConnectorArg};

/// Writes the folder that the arguments ask for.
pub fn assemble(mut args: AssembleArgs) -> Result<(), BoxError> {
    for folder in [&mut args.llm]
        .into_iter()
        .chain(&mut args.encoder)
        .chain(&mut args.visual_from)
    {
        *folder = resolve_model(folder)?;
    }
    let visual = visual_source(&args)?;
    let device = Default::default();
    Flex::seed(&device, args.seed);
    let model = with_progress("loading", args.dtype.precision(), |options| {
        viscpm_chat::assemble::<Flex>(&args.llm, &visual, &device, options)
    })?;
    let dtype = match args.dtype.precision() {
        Precision::Cast(dtype) => dtype,
        // New weights are to have the language model's.
        Precision::AsStored => model.model.llm.dtype(),
    };
    Ok(model.save(&args.out, dtype)?)
}

fn visual_source(args: &AssembleArgs) -> Result<VisualSource, BoxError> {
    if let Some(folder) = &args.encoder {
        return Ok(VisualSource::Encoder {
            folder: folder.clone(),
            features: FeatureSelection {
                vision_feature_layer: args.layer,
                ..FeatureSelection::default()
            },
            connector: match args.connector {
                ConnectorArg::Mlp => ConnectorConfig::Mlp(MlpConnectorConfig::default()),
                ConnectorArg::Resampler => ConnectorConfig::Resampler(ResamplerConfig::default()),
            },
        });
    }
    match (&args.visual_from, &args.visual_config) {
        (Some(folder), _) => Ok(VisualSource::ChatModel(folder.clone())),
        (None, Some(file)) => Ok(VisualSource::fresh(file)?),
        (None, None) => {
            Err("name the visual module: --encoder, --visual-from or --visual-config".into())
        }
    }
}
