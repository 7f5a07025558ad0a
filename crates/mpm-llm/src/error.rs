//! The one error type of this crate.

use std::path::PathBuf;

use crate::{Family, clip::EndOfText, template::TextTemplate};

/// Everything that can go wrong in tokenizing, prompting, running and decoding.
///
/// Positions in texts count Unicode code points from 0, as the reference does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LlmError {
    /// A vocabulary file could not be read or written.
    #[error("cannot access the vocabulary file `{}`", path.display())]
    VocabularyIo {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// A vocabulary is not UTF-8 text.
    #[error(
        "the vocabulary is not UTF-8 text; expected one token a line, as in CPM-Bee's `bee.txt`"
    )]
    VocabularyEncoding {
        /// Where the first invalid byte is.
        source: std::str::Utf8Error,
    },

    /// A vocabulary has no token at all.
    #[error("the vocabulary is empty; expected one token a line, as in CPM-Bee's `bee.txt`")]
    VocabularyEmpty,

    /// A vocabulary names a token twice, so that its ids are ambiguous.
    #[error("the vocabulary has the token {token:?} twice: as id {first} and as id {second}")]
    VocabularyDuplicate {
        /// The token.
        token: String,
        /// Its first id.
        first: usize,
        /// The id it would get as well.
        second: usize,
    },

    /// A vocabulary lacks special tokens that the model needs.
    #[error(
        "the vocabulary lacks the special tokens {tokens:?}; is it a CPM-Bee vocabulary (`bee.txt`)?"
    )]
    VocabularyMissing {
        /// The tokens, as they are written in the file.
        tokens: Vec<&'static str>,
    },

    /// The matcher over a vocabulary could not be built.
    #[error("the vocabulary cannot be indexed: {reason}")]
    VocabularyIndex {
        /// Why; its type is no `std::error::Error`, so it cannot be a `source`.
        reason: daachorse::errors::DaachorseError,
    },

    /// A vocabulary of the asked size cannot hold what it must hold.
    #[error(
        "a vocabulary of {size} tokens is too small: special tokens and basic characters take {needed}"
    )]
    VocabularySize {
        /// The size asked for.
        size: usize,
        /// The smallest size that works.
        needed: usize,
    },

    /// Sub-words could not be found in the texts of a new vocabulary.
    #[error("cannot build a vocabulary from these texts")]
    VocabularyTraining {
        /// What the trainer said.
        source: tokenizers::Error,
    },

    /// A `<` opens a special token that the text never closes.
    #[error(
        "the text ends inside the special token that `<` opens at position {position}; \
         write `<<` for a plain `<` (see `escape`)"
    )]
    UnexpectedEndOfText {
        /// Where that `<` is.
        position: usize,
    },

    /// A `<` inside a special token.
    #[error(
        "`<` at position {position} is inside a special token; write `<<` for a plain `<` (see `escape`)"
    )]
    InvalidSpecialToken {
        /// Where that `<` is.
        position: usize,
    },

    /// An id that is neither in the vocabulary nor in the extension table.
    #[error(
        "the id {id} is neither in the vocabulary of {vocab_size} tokens nor in the extension table"
    )]
    UnknownId {
        /// The id.
        id: i32,
        /// The size of the vocabulary.
        vocab_size: usize,
    },

    /// A special token whose base name is not in the vocabulary.
    #[error(
        "the special token `{token}` needs `{base}` in the vocabulary, which is not there; \
         write `<<` for a plain `<` (see `escape`)"
    )]
    UnknownSpecialToken {
        /// The token as written.
        token: String,
        /// The vocabulary token it is an instance of.
        base: String,
    },

    /// A prompt holds something else than texts and maps.
    #[error("the prompt has {found} at `{path}`; expected a text or a map of texts")]
    PromptType {
        /// The keys that lead there, joined by `.`.
        path: String,
        /// What is there.
        found: &'static str,
    },

    /// A prompt is nested deeper, or has more segments, than is supported.
    #[error("the prompt has more than {limit} {what}")]
    PromptSize {
        /// What is counted.
        what: &'static str,
        /// The limit.
        limit: usize,
    },

    /// A prompt without an answer to predict.
    #[error("the prompt has no answer to predict: give it the key `<ans>` with a text or a map")]
    NoAnswer,

    /// Cutting an input to the limit would lose the answer slot or a picture.
    #[error(
        "an input of {length} tokens does not fit {limit}: cutting it would lose {lost}, \
         which reaches to token {needed}; shorten the texts before it or raise the limit"
    )]
    Truncation {
        /// Tokens of the whole input.
        length: usize,
        /// The most that are allowed.
        limit: usize,
        /// Tokens that must stay for nothing to be lost.
        needed: usize,
        /// What would be lost.
        lost: &'static str,
    },

    /// A question that does not fit even without any earlier turn.
    #[error(
        "the question needs {needed} tokens with its picture and answer slot, and the limit is {limit}; \
         shorten the question or raise the limit"
    )]
    QuestionTooLong {
        /// Tokens of the prompt without context.
        needed: usize,
        /// The most that are allowed.
        limit: usize,
    },

    /// A batch without rows.
    #[error("a batch needs at least one input")]
    EmptyBatch,

    /// A row that is longer than the width of its batch.
    #[error(
        "row {row} has {length} tokens and the batch is {max_len} wide; \
         truncate the input first or raise `max_len`"
    )]
    RowTooLong {
        /// The row, from 0.
        row: usize,
        /// Its tokens.
        length: usize,
        /// The width of the batch.
        max_len: usize,
    },

    /// Rows with different numbers of pictures in one batch.
    #[error(
        "row {row} has {found} pictures and row 0 has {expected}; a batch needs the same number in each row"
    )]
    PictureCount {
        /// The row, from 0.
        row: usize,
        /// Pictures of row 0.
        expected: usize,
        /// Pictures of this row.
        found: usize,
    },

    /// A size in a model's configuration that no model can have.
    #[error("the model configuration has {key} = {value}; allowed: {allowed}")]
    Config {
        /// The key in `config.json`.
        key: &'static str,
        /// What is there.
        value: String,
        /// What may be there.
        allowed: &'static str,
    },

    /// An array of a model's input has the wrong number of elements.
    #[error("the model input `{field}` has {actual} elements; the other arrays ask for {expected}")]
    InputLength {
        /// The array.
        field: &'static str,
        /// Elements that it should have.
        expected: usize,
        /// Elements that it has.
        actual: usize,
    },

    /// A number in a model's input is out of range.
    #[error("the model input `{field}` holds {value} at index {index}; allowed: 0 to {max}")]
    InputRange {
        /// The array.
        field: &'static str,
        /// Index into the flattened array, from 0.
        index: usize,
        /// What is there.
        value: i64,
        /// The largest value allowed.
        max: usize,
    },

    /// The text has room for another number of pictures than there are.
    #[error(
        "the text has slots for {slots} pictures and features of {features} pictures were given"
    )]
    FeatureCount {
        /// Pictures that the text has room for.
        slots: usize,
        /// Pictures whose features were given.
        features: usize,
    },

    /// A picture's room in the text has another length than its features.
    #[error(
        "picture {picture} has {slots} slots in the text and {features} features; \
         build the prompt with as many slots as the picture encoder has queries"
    )]
    FeatureLength {
        /// The picture, counted from 0 through all rows.
        picture: usize,
        /// Tokens that stand for it in the text.
        slots: usize,
        /// Feature vectors of the picture.
        features: usize,
    },

    /// A picture's room lies outside the text.
    #[error(
        "picture {picture} takes the tokens {start} to {end} of a text of {seq_len} tokens; \
         the text was cut, or the picture bounds belong to another one"
    )]
    FeatureBounds {
        /// The picture, counted from 0 through all rows.
        picture: usize,
        /// Its first token.
        start: usize,
        /// One past its last token.
        end: usize,
        /// Tokens of the text.
        seq_len: usize,
    },

    /// Two pictures have the same room in the text.
    #[error(
        "picture {picture} takes token {slot}, which an earlier picture of the row has already; \
         give each picture slots of its own"
    )]
    FeatureOverlap {
        /// The later one, counted from 0 through all rows.
        picture: usize,
        /// The token that both take.
        slot: usize,
    },

    /// A cache of a size that none can have.
    #[error("a cache for {capacity} tokens cannot be made; allowed: 1 to {max}")]
    CacheCapacity {
        /// The tokens asked for.
        capacity: usize,
        /// The most that are possible.
        max: usize,
    },

    /// What one model remembers was given to another.
    #[error(
        "the cache was made for a model of {actual} layers, and this one has {expected}; \
         create it for this model"
    )]
    CacheLayers {
        /// Layers of the model.
        expected: usize,
        /// Layers of the cache.
        actual: usize,
    },

    /// More tokens than a cache was made for.
    #[error("the cache has room for {capacity} tokens and {needed} are needed; create it larger")]
    CacheFull {
        /// Tokens that the cache can hold.
        capacity: usize,
        /// Tokens that it would have to hold.
        needed: usize,
    },

    /// Keys or values of other rows than a cache was made for.
    #[error(
        "keys or values have {} rows, {} heads of width {}, and the cache was made for {} rows, \
         {} heads of width {}; create it for this batch and this model",
        actual[0], actual[1], actual[2], expected[0], expected[1], expected[2]
    )]
    CacheShape {
        /// Rows, heads and width of a head of the cache.
        expected: [usize; 3],
        /// Those of the keys or values.
        actual: [usize; 3],
    },

    /// A decoding parameter out of its range.
    #[error("the decoding parameter {name} is {value}; allowed: {allowed}")]
    DecodingParameter {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },

    /// A model's logits hold NaN, infinity, or nothing else than -infinity, so that no token can
    /// be chosen.
    #[error(
        "the logits of answer token {step} hold NaN or infinity; \
         the weights are broken, or f16 overflowed: try f32 or bf16"
    )]
    NotANumber {
        /// The token of the answer, from 0.
        step: usize,
    },

    /// A tokenizer's file is damaged, or that of another kind of model.
    #[error("this is no tokenizer for {model}: {source}")]
    TokenizerFile {
        /// The kind of model.
        model: &'static str,
        /// What the `tokenizers` crate said.
        source: tokenizers::Error,
    },

    /// A tokenizer is of another kind than BERT's.
    #[error("this is no tokenizer for BERT: {reason}")]
    BertTokenizer {
        /// Why.
        reason: String,
    },

    /// A tokenizer has more tokens than its model.
    #[error(
        "the vocabulary has tokens up to id {largest}, but the model has {vocab_size} \
         (`vocab_size`); use the tokenizer that came with the weights"
    )]
    TokenizerVocabulary {
        /// The largest id of the vocabulary.
        largest: u32,
        /// Tokens of the model.
        vocab_size: usize,
    },

    /// A tokenizer is of another kind than CLIP's.
    #[error("this is no tokenizer for CLIP: {reason}")]
    ClipTokenizer {
        /// Why.
        reason: String,
    },

    /// A tokenizer is of another kind than those of the LLaMA family.
    #[error(
        "this is no tokenizer of the LLaMA family: its decoder is not `ByteLevel`, `ByteFallback` \
         or `Metaspace`; use the tokenizer.json that came with the weights"
    )]
    LlamaTokenizer,

    /// A chat template is no Jinja, fails, or refuses the messages.
    #[error("the chat template cannot write this conversation: {source}")]
    ChatTemplate {
        /// What the template or its engine said.
        source: minijinja::Error,
    },

    /// A chat template comes to no end.
    #[error(
        "the chat template was stopped after {steps} steps: it has an endless loop, or the \
         conversation is too long for it"
    )]
    ChatTemplateEndless {
        /// Steps that it may take.
        steps: u64,
    },

    /// A model was asked to chat that has no chat template.
    #[error(
        "the model's folder has no chat template (chat_template.jinja, or `chat_template` in \
         tokenizer_config.json); take the model's instruct or chat version, or continue a text"
    )]
    NoChatTemplate,

    /// A layer that waits in its file could not be read.
    #[error(transparent)]
    Weights(#[from] mpm_core::weights::WeightsError),

    /// A chat template writes a conversation without its picture, or more than once.
    #[error(
        "the chat template does not write what the user says exactly once, so the picture has no \
         place; use the template of the model's own folder"
    )]
    PictureLost,

    /// Tokens were made for a language model of another family.
    #[error("the tokens are made for {found}, but the language model is {expected}")]
    OtherFamily {
        /// The family of the model.
        expected: Family,
        /// That of the tokens.
        found: Family,
    },

    /// A template whose text has no place, or several.
    #[error(
        "the template has {places} places for the text; write `{{text}}` exactly once{}",
        match family {
            Family::CpmBee => ", as all of the text of a key",
            Family::Llama => "",
        }
    )]
    TemplatePlaces {
        /// Whose template it is.
        family: Family,
        /// How many there are.
        places: usize,
    },

    /// What stands behind the text is to be read, but nothing does.
    #[error(
        "the template ends with the text, and what stands behind it is to be read; write something \
         behind it, as in {example}"
    )]
    TemplateEnd {
        /// One with something behind the text.
        example: TextTemplate,
    },

    /// A text without a token, of which there is nothing to read.
    #[error(
        "a text is empty and its template writes nothing around it, so there is nothing to read; \
         write a template such as {example}"
    )]
    NothingToRead {
        /// One that writes something.
        example: TextTemplate,
    },

    /// A template is written for models of another family.
    #[error(
        "the template is one for {found}, but the language model is {family}; write one such as {example}"
    )]
    OtherTemplate {
        /// The family of the model.
        family: Family,
        /// That of the template.
        found: Family,
        /// One for the model.
        example: TextTemplate,
    },

    /// A vocabulary of another size than the model's.
    #[error(
        "the vocabulary has {found} tokens, but the model was trained with {expected} \
         (`llm.vocab_size`); use the vocabulary that came with the weights"
    )]
    OtherVocabulary {
        /// Its tokens.
        found: usize,
        /// Those of the model.
        expected: usize,
    },

    /// A text whose end a CLIP model cannot find.
    #[error(
        "text {row} has no end that the rule {rule:?} finds; encode it with the model's tokenizer"
    )]
    NoEndOfText {
        /// The text, from 0.
        row: usize,
        /// How the end is looked for.
        rule: EndOfText,
    },

    /// The `tokenizers` crate could not cut a text.
    #[error("the text cannot be cut into tokens")]
    Tokenization {
        /// What it said.
        source: tokenizers::Error,
    },

    /// A text with more tokens than its model has positions.
    #[error("the text has {tokens} tokens and the model reads {limit} at most; cut it first")]
    TextTooLong {
        /// Tokens of the text.
        tokens: usize,
        /// The most that the model reads.
        limit: usize,
    },

    /// A rule that refuses what has a label that the model never gives: it would let all pass.
    #[error(
        "the rule refuses texts with the label `{label}`, but the model has the labels {labels:?}; \
         name one of these"
    )]
    UnknownLabel {
        /// The rule's label.
        label: String,
        /// The model's.
        labels: Vec<String>,
    },

    /// A rule whose threshold is no probability.
    #[error("the rule's threshold is {threshold}; allowed: 0 to 1")]
    Threshold {
        /// The threshold.
        threshold: f32,
    },

    /// A classifier's logits hold NaN, which would pass for harmless.
    #[error(
        "the logits of the classifier hold NaN; the weights are broken, or f16 overflowed: try \
         f32 or bf16"
    )]
    BrokenLogits,
}
