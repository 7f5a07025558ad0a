//! The stages of the chat model.

use std::path::Path;

use burn::{backend::Autodiff, module::AutodiffModule, tensor::DType};
use mpm_core::{MpmBackend, model_folder::CONFIG_FILE, weights::KeyMap};
use mpm_data::{
    dataset::{CaptionCleaning, CaptionPrompts},
    picture::augment::TrainAugmentation,
};
use mpm_llm::any::AnyLlmConfig;
use mpm_train::{
    BoxError,
    memory::TransformerActivations,
    recipe::{AugmentationConfig, Recipe},
};
use viscpm_chat::{ChatModel, ModelConfig, VisCpmChat};

use super::{ChatBatch, ChatObjective, ChatPreparer, ChatSample, Collation};
use crate::{
    BatchSource, DataShare, Preview, RunError, Stage,
    parts::{check_parts, load_options, load_part, start_anew},
};

/// Visual pretraining and instruction tuning: both learn to answer, they differ in their data
/// and in what trains.
pub struct ChatStage<B: MpmBackend> {
    start: ChatModel<Autodiff<B>>,
    augmentation: Option<TrainAugmentation>,
    cleaning: Option<CaptionCleaning>,
    prompts: CaptionPrompts,
}

impl<B: MpmBackend> ChatStage<B> {
    /// What the run starts from.
    pub(crate) fn start(&self) -> &ChatModel<Autodiff<B>> {
        &self.start
    }

    fn preparer(&self, share: &DataShare) -> ChatPreparer {
        let config = &self.start.config;
        ChatPreparer {
            tokenizer: self.start.tokenizer.clone(),
            preprocessor: config.preprocessing,
            augmentation: self.augmentation.clone().filter(|_| share.is_training),
            cleaning: self.cleaning.clone(),
            prompts: self.prompts.clone(),
            picture_slots: self.start.model.picture_slots(),
            max_tokens: share.max_tokens.unwrap_or(config.max_prompt_tokens),
        }
    }
}

impl<B: MpmBackend> Stage<B> for ChatStage<B> {
    type Model = VisCpmChat<Autodiff<B>>;
    type Batch = ChatBatch;
    type Objective = ChatObjective;
    type Source = BatchSource<ChatSample, ChatBatch>;

    fn open(recipe: &Recipe, device: &B::Device) -> Result<Self, BoxError> {
        check_parts(&recipe.model, &["llm", "visual"], "`llm` and `visual`")?;
        let folder = &recipe.model.folder;
        let unusable = |source| RunError::Model {
            folder: folder.clone(),
            source,
        };
        let open = || -> Result<ChatModel<Autodiff<B>>, BoxError> {
            ModelConfig::open(folder.join(CONFIG_FILE))?;
            let mut start = ChatModel::open(folder, device, &load_options(recipe))?;
            let fresh = start.config.model.init(device)?;
            start.model = start_anew::<Autodiff<B>, _>(start.model, &fresh, recipe)?;
            start.model.llm = load_part::<Autodiff<B>, _>(start.model.llm, "llm", recipe)?;
            start.model.visual = load_part::<Autodiff<B>, _>(start.model.visual, "visual", recipe)?;
            Ok(start)
        };
        let mut start = open().map_err(unusable)?;
        for part in &recipe.recompute {
            match part.as_str() {
                "llm" => start.model.llm.set_recompute(true),
                "visual" => start.model.visual.set_recompute(true),
                _ => {
                    return Err(RunError::UnknownPart {
                        part: part.clone(),
                        known: "`llm` and `visual`",
                    }
                    .into());
                }
            }
        }
        let augmentation = match recipe.data.augmentation {
            AugmentationConfig::None => None,
            AugmentationConfig::Randaugment => {
                Some(TrainAugmentation::new(start.config.preprocessing))
            }
        };
        Ok(Self {
            start,
            augmentation,
            cleaning: recipe.data.cleaning.clone(),
            prompts: recipe.data.prompts.clone(),
        })
    }

    fn model(&self) -> Self::Model {
        self.start.model.clone()
    }

    fn objective(&self) -> ChatObjective {
        ChatObjective
    }

    fn source(&self, share: &DataShare) -> Result<Self::Source, BoxError> {
        let preparer = self.preparer(share);
        let collation = Collation {
            tokenizer: self.start.tokenizer.clone(),
        };
        BatchSource::new(
            share,
            Box::new(move |example, pictures, _step, rng| preparer.prepare(example, pictures, rng)),
            Box::new(move |samples| collation.batch(samples)),
        )
    }

    fn activations(&self, recipe: &Recipe) -> u64 {
        let config = &self.start.config;
        let rows = recipe.batch.micro.get();
        let recomputed = |name: &str| recipe.recompute.iter().any(|it| it == name);
        let tokens = recipe.data.max_tokens.unwrap_or(config.max_prompt_tokens);
        let llm = llm_activations(&config.model.llm, rows * tokens, recomputed("llm"));
        let size = config.model.visual.transformer();
        let visual = TransformerActivations {
            tokens: rows * size.tokens,
            d_model: size.d_model,
            d_ff: size.d_ff,
            ff_vectors: 2,
            layers: size.layers,
            recompute: recomputed("visual"),
        };
        llm.bytes(recipe.precision) + visual.bytes(recipe.precision)
    }

    fn preview(&self, batch: &ChatBatch) -> Preview {
        let preprocessor = &self.start.config.preprocessing;
        let texts = batch.texts.iter().map(|text| {
            let turns = text.turns.iter();
            let turns = turns.map(|turn| format!("{}\n→ {}\n", turn.question, turn.answer));
            let turns: String = turns.collect();
            format!("{turns}{}\n→ {}", text.question, text.answer)
        });
        let pictures = batch.pictures.iter();
        Preview {
            pictures: pictures
                .filter_map(|pixels| preprocessor.restore(pixels))
                .collect(),
            texts: texts.collect(),
        }
    }

    fn checkpoint_keys() -> KeyMap {
        viscpm_chat::checkpoint_keys()
    }

    fn save(&self, model: Self::Model, folder: &Path) -> Result<(), BoxError> {
        let trained = ChatModel {
            model: model.valid(),
            tokenizer: self.start.tokenizer.clone(),
            config: self.start.config.clone(),
        };
        Ok(trained.save(folder, DType::F16)?)
    }
}

/// What the layers of a language model keep of as many tokens.
pub(crate) fn llm_activations(
    llm: &AnyLlmConfig,
    tokens: usize,
    recompute: bool,
) -> TransformerActivations {
    TransformerActivations {
        tokens,
        d_model: llm.d_model(),
        d_ff: llm.d_ff(),
        ff_vectors: 3,
        layers: llm.num_layers(),
        recompute,
    }
}
