//! How close English and Chinese are in the shipped model, and how training brings them closer.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use burn::backend::{Autodiff, Flex};
use burn::module::AutodiffModule;
use burn::tensor::backend::Backend;
use mpm_core::weights::{KeyMap, LoadOptions, WeightFile, load};
use mpm_data::emoji::{EmojiSet, Language, NameClass};
use mpm_llm::LanguageModel;
use mpm_llm::any::{AnyLlm, AnyLlmConfig, AnyTokenizer};
use mpm_llm::cpm_bee::{CpmBee, CpmBeeConfig};
use mpm_llm::template::{TemplateTokenizer, TextTemplate};
use mpm_llm::tokenizer::CpmBeeTokenizer;
use mpm_train::alignment::{
    AlignmentReport, ContrastiveConfig, LanguagePair, LlmAlignment, LlmSentences, ParallelRow,
    Pooling, measure_alignment,
};
use mpm_train::pattern::parameters;
use mpm_train::{BoxError, DataSource, Schedule, TrainError, Trainer, TrainerConfig};

/// Names that the shipped model knows.
const NAMES: usize = 100;

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/viscpm-paint-emoji")
}

fn tokenizer() -> CpmBeeTokenizer {
    CpmBeeTokenizer::from_file(shipped().join("vocab.txt")).unwrap()
}

fn names(count: usize) -> Vec<ParallelRow> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let set = EmojiSet::open(folder.join("../../examples/build-emoji-set/emoji.tar.zst")).unwrap();
    let name = |class: &NameClass, language| class.name(language).unwrap_or_default().to_owned();
    let classes = set.naming().naming_concepts(count).iter();
    let rows = classes.map(|class| {
        BTreeMap::from([
            ("en".to_owned(), name(class, Language::English)),
            ("zh".to_owned(), name(class, Language::Chinese)),
        ])
    });
    rows.collect()
}

fn shipped_llm() -> CpmBee<Flex> {
    let text = std::fs::read_to_string(shipped().join("config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    let config: CpmBeeConfig = serde_json::from_value(config["llm"].clone()).unwrap();
    let keys = KeyMap::new()
        .rename("llm", "")
        .unused("unet")
        .unused("trans_block");
    let options = LoadOptions {
        keys,
        ..LoadOptions::default()
    };
    let file = WeightFile::open(shipped().join("model.safetensors")).unwrap();
    load(config.init(&Default::default()).unwrap(), &file, &options).unwrap()
}

/// The prompt that the shipped painter was made with.
fn painters_prompt() -> TextTemplate {
    TextTemplate::parts(&[
        ("image", "{text}"),
        ("context", ""),
        ("question", "What is this?"),
        ("<ans>", ""),
    ])
}

fn measured<M, T>(
    llm: &M,
    tokenizer: &T,
    prompt: &TextTemplate,
    pooling: Pooling,
    rows: &[ParallelRow],
) -> AlignmentReport
where
    M: LanguageModel<Flex>,
    T: TemplateTokenizer<Input = M::Input>,
{
    let batch = NonZeroUsize::new(64).unwrap();
    let model = LlmSentences::new(llm, tokenizer, prompt, pooling, batch).unwrap();
    measure_alignment(&model, rows, &["en", "zh"]).unwrap()
}

#[test]
fn the_shipped_model_keeps_what_a_name_means_and_not_its_language() {
    let llm = shipped_llm();
    let rows = names(NAMES);
    let [behind, own] = [Pooling::Behind, Pooling::Mean].map(|pooling| {
        let mut report = measured(&llm, &tokenizer(), &painters_prompt(), pooling, &rows);
        report.pairs.remove(0)
    });
    assert_eq!((behind.sentences, behind.layers.len()), (NAMES, 6));
    // Behind the name the embeddings are the same for all names, and so tell nothing.
    let embeddings = behind.layers[0].raw.accuracy();
    assert!((embeddings - behind.chance()).abs() < 1e-6, "{behind}");
    // What the blocks keep there is the meaning; 99% were found when this was written.
    let best = behind.best().unwrap();
    assert_ne!(best.layer, "embeddings");
    assert!(best.centred.accuracy() > 0.9, "{behind}");
    assert!(
        best.centred.cosine > best.centred.cosine_of_others + 0.5,
        "{behind}"
    );
    // The states of the name itself are those of words in one language.
    let norm = |pair: &LanguagePair| pair.layers[5].centred.accuracy();
    assert!(norm(&behind) > norm(&own) + 0.2, "{behind}\n{own}");
}

/// A language model with fresh weights.
fn fresh() -> CpmBee<Autodiff<Flex>> {
    let config = CpmBeeConfig {
        vocab_size: tokenizer().vocab_size(),
        embedding_init_std: 1.0,
        ..CpmBeeConfig::tiny()
    };
    let device = Default::default();
    Autodiff::<Flex>::seed(&device, 1);
    let llm = config.init(&device).unwrap();
    // Burn draws initial values at their first use.
    let _drawn = parameters::<Autodiff<Flex>, _>(&llm);
    llm
}

/// The same pairs again and again.
struct Pairs(Vec<[String; 2]>);

impl DataSource for Pairs {
    type Batch = Vec<[String; 2]>;
    type Position = ();

    fn next_batch(&mut self) -> Result<Option<Self::Batch>, BoxError> {
        Ok(Some(self.0.clone()))
    }

    fn position(&self) {}

    fn seek(&mut self, (): &()) -> Result<(), BoxError> {
        Ok(())
    }
}

/// The reports before and after training on a few names.
fn aligned<M, T>(fresh: M, tokenizer: &T, pooling: Pooling) -> [AlignmentReport; 2]
where
    M: AutodiffModule<Autodiff<Flex>> + LanguageModel<Autodiff<Flex>> + 'static,
    M::InnerModule: LanguageModel<Flex, Input = <M as LanguageModel<Autodiff<Flex>>>::Input>,
    T: TemplateTokenizer<Input = <M as LanguageModel<Autodiff<Flex>>>::Input> + Clone + Sync,
{
    let rows = names(12);
    let pairs = rows
        .iter()
        .map(|row| [row["en"].clone(), row["zh"].clone()]);
    let template = TextTemplate::default_of(tokenizer.family());
    let loss = ContrastiveConfig::default();
    let objective = LlmAlignment::<M, T>::new(tokenizer.clone(), template.clone(), pooling, loss);
    let before = measured(&fresh.valid(), tokenizer, &template, pooling, &rows);
    let config = TrainerConfig::new(30, Schedule::constant(3e-3));
    let trained = Trainer::new(config, objective.unwrap(), fresh)
        .unwrap()
        .run(&mut Pairs(pairs.collect()))
        .unwrap();
    let llm = trained.model.valid();
    let after = measured(&llm, tokenizer, &template, pooling, &rows);
    [before, after]
}

#[test]
fn a_small_model_learns_that_translations_belong_together() {
    let [before, report] = aligned(fresh(), &tokenizer(), Pooling::Mean);
    assert!(before.pairs[0].layers[5].raw.accuracy() < 0.5, "{before}");
    let pair = &report.pairs[0];
    assert!(
        pair.layers[0].centred.accuracy() < 4.0 * pair.chance(),
        "{pair}"
    );
    assert!(pair.layers[5].raw.accuracy() > 0.9, "{pair}");
    assert!(pair.layers[5].raw.margin > 0.1, "{pair}");
}

/// A model of the LLaMA family with fresh weights, and the tokenizer of the one that ships.
fn fresh_llama() -> (AnyLlm<Autodiff<Flex>>, AnyTokenizer) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../models/llama-siglip-emoji/tokenizer.json");
    let config: AnyLlmConfig = serde_json::from_value(serde_json::json!({
        "model_type": "llama", "vocab_size": 4000, "hidden_size": 32, "intermediate_size": 48,
        "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 64,
    }))
    .unwrap();
    let device = Default::default();
    Autodiff::<Flex>::seed(&device, 1);
    let llm = config.init(&device).unwrap();
    let _drawn = parameters::<Autodiff<Flex>, _>(&llm);
    (llm, AnyTokenizer::open(&file, &config).unwrap())
}

#[test]
fn a_small_llama_learns_it_behind_the_name() {
    let (llm, tokenizer) = fresh_llama();
    let [before, report] = aligned(llm, &tokenizer, Pooling::Behind);
    let layers = &report.pairs[0].layers;
    let called: Vec<_> = layers.iter().map(|layer| layer.layer.as_str()).collect();
    assert_eq!(called, ["embeddings", "block 1", "block 2", "norm"]);
    // The same line break stands behind every name.
    let embeddings = layers[0].raw.accuracy();
    assert!(
        (embeddings - report.pairs[0].chance()).abs() < 1e-6,
        "{report}"
    );
    assert!(before.pairs[0].layers[3].raw.accuracy() < 0.5, "{before}");
    assert!(layers[3].raw.accuracy() > 0.9, "{report}");
}

#[test]
fn a_template_of_another_family_is_refused() {
    let (llm, tokenizer) = fresh_llama();
    let (template, batch) = (painters_prompt(), NonZeroUsize::MIN);
    let model = LlmSentences::new(&llm, &tokenizer, &template, Pooling::Mean, batch);
    let error = model.unwrap_err();
    assert!(matches!(error, TrainError::Template { .. }), "{error}");
    assert!(error.to_string().contains(r#""{text}\n""#), "{error}");
}
