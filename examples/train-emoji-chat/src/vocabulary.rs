//! The vocabulary of a new language model, counted on the texts that it will read.

use mpm_data::emoji::Tasks;
use mpm_llm::{
    any::{AnyLlmConfig, AnyTokenizer},
    llama::{ChatTemplate, LlamaText, LlamaTokenizer},
    tokenizer::{CpmBeeTokenizer, VocabularyBuilder},
};
use mpm_train::BoxError;
use tokenizers::{
    AddedToken, DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper,
    TokenizerImpl,
    models::bpe::{BPE, BpeTrainer},
    pre_tokenizers::byte_level::ByteLevel,
};

use crate::recipe::Recipe;

/// Samples that the vocabulary is counted on.
const SAMPLES: u64 = 30_000;

/// How often the vocabulary counts each name beside the samples: so often that its words become
/// tokens. A name in pieces is learnt more slowly, and is lost with any of them.
const NAME_COUNT: usize = 50;

/// The tokens that structure a conversation: who speaks, and that he has ended.
const ROLES: [&str; 2] = ["<|user|>", "<|assistant|>"];
/// See [`ROLES`].
const END: &str = "<|end|>";

/// A conversation in these tokens.
const CHAT_TEMPLATE: &str = "{% for message in messages %}<|{{ message.role }}|>\
    {{ message.content }}<|end|>{% endfor %}\
    {% if add_generation_prompt %}<|assistant|>{% endif %}";

/// The tokenizer of the recipe's language model, and its configuration with as many tokens.
///
/// # Errors
/// When the vocabulary is too small for its characters.
pub fn build(recipe: &Recipe, tasks: &Tasks<'_>) -> Result<(AnyLlmConfig, AnyTokenizer), BoxError> {
    let texts = texts(recipe, tasks);
    let llm = recipe.model.llm.clone();
    Ok(match &llm {
        AnyLlmConfig::CpmBee(_) => {
            let tokenizer = cpm_bee(recipe.vocabulary_size, &texts)?;
            (
                llm.with_vocab_size(tokenizer.vocab_size()),
                AnyTokenizer::CpmBee(tokenizer),
            )
        }
        AnyLlmConfig::Llama(_) => {
            let text = llama(recipe.vocabulary_size, &texts)?;
            (
                llm.with_vocab_size(text.tokenizer.vocab_size()),
                AnyTokenizer::Llama(text),
            )
        }
    })
}

/// What is counted.
fn texts(recipe: &Recipe, tasks: &Tasks<'_>) -> Vec<String> {
    let mut texts = Vec::new();
    for index in 0..SAMPLES {
        let sample = tasks.text(recipe.seed, index);
        texts.extend(sample.description);
        texts.extend([sample.question, sample.answer]);
    }
    for class in 0..tasks.classes().len() {
        for &language in &recipe.languages.text {
            let name = tasks.name(class, language);
            texts.extend(std::iter::repeat_n(name.to_owned(), NAME_COUNT));
        }
    }
    texts
}

fn cpm_bee(size: usize, texts: &[String]) -> Result<CpmBeeTokenizer, BoxError> {
    let mut builder = VocabularyBuilder::new(size);
    // The keys of the prompt are texts, too.
    for key in ["image", "context", "question", "User: \nAI: \n"] {
        builder.add_text(key);
        builder.add_text(key);
    }
    texts.iter().for_each(|text| builder.add_text(text));
    Ok(CpmBeeTokenizer::new(builder.finish()?)?)
}

/// Byte pair encoding over bytes, as of LLaMA 3.
fn llama(size: usize, texts: &[String]) -> Result<LlamaText, BoxError> {
    let special = |name: &str| AddedToken::from(name, true);
    let mut trainer = BpeTrainer::builder()
        .vocab_size(size)
        .show_progress(false)
        .special_tokens(
            [END]
                .iter()
                .chain(&ROLES)
                .map(|name| special(name))
                .collect(),
        )
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let mut tokenizer: TokenizerImpl<
        BPE,
        NormalizerWrapper,
        PreTokenizerWrapper,
        PostProcessorWrapper,
        DecoderWrapper,
    > = TokenizerImpl::new(BPE::default());
    tokenizer
        .with_pre_tokenizer(Some(ByteLevel::default().add_prefix_space(false)))
        .with_decoder(Some(ByteLevel::default()))
        .train(&mut trainer, texts.iter().map(String::as_str))?;
    let json = tokenizer.to_string(false)?;
    let vocab_size = tokenizer.get_vocab_size(true);
    let tokenizer = LlamaTokenizer::from_json(json.as_bytes(), vocab_size)?;
    Ok(LlamaText {
        ends: tokenizer.id(END).into_iter().collect(),
        tokenizer,
        chat_template: Some(ChatTemplate::new(CHAT_TEMPLATE, Default::default())?),
    })
}
