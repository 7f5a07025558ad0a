//! A model folder: opening it, conversations with it, and what is wrong with broken ones.

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use mpm_core::{
    quantization::QuantizationScheme,
    weights::{KeyMap, LoadOptions, Precision, save},
};
use mpm_llm::{
    LlmError,
    decoding::{DecodingParams, Strategy},
    llama::{ChatMessage, LlamaChat, LlamaConfig, PretrainedLlama},
};
use mpm_test_support::{TestBackend, own_cases};
use safetensors::{
    Dtype, SafeTensors,
    tensor::{TensorView, serialize_to_file},
};
use serde_json::{Value, json};

type B = TestBackend;

const TEMPLATE: &str = "{{ bos_token }}{% for m in messages %}\
    {{ '<|turn|>' ~ m.role ~ '\n' ~ m.content ~ '<|end|>' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|turn|>assistant\n' }}{% endif %}";

/// A folder of a model with random weights.
struct Folder {
    path: PathBuf,
    _temporary: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        let case = &own_cases("l_tokenizer_letters")[0];
        let config = json!({
            "model_type": "qwen3", "vocab_size": case.size("/size") + 3, "hidden_size": 64,
            "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 512,
            "eos_token_id": 0,
        });
        let temporary = tempfile::tempdir().unwrap();
        let folder = Self {
            path: temporary.path().to_path_buf(),
            _temporary: temporary,
        };
        folder.write("config.json", &config);
        folder.write("tokenizer.json", &case.json["tokenizer"]);
        let settings = json!({
            "bos_token": {"content": "<|begin|>"}, "eos_token": "<|end|>",
            "chat_template": TEMPLATE,
        });
        folder.write("tokenizer_config.json", &settings);
        folder.write("generation_config.json", &json!({"eos_token_id": [1, 2]}));
        let config: LlamaConfig = serde_json::from_value(config).unwrap();
        let model = config.init::<B>(&Default::default()).unwrap();
        let file = folder.path.join("model.safetensors");
        save(&model, file, &KeyMap::new(), Precision::AsStored).unwrap();
        folder
    }

    fn write(&self, name: &str, content: &Value) {
        fs::write(self.path.join(name), content.to_string()).unwrap();
    }

    fn config(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path.join("config.json")).unwrap()).unwrap()
    }

    fn open(&self, options: &LoadOptions) -> Result<PretrainedLlama<B>, String> {
        let path: &Path = &self.path;
        PretrainedLlama::open(path, &Default::default(), options).map_err(|error| error.to_string())
    }

    fn model(&self) -> PretrainedLlama<B> {
        self.open(&LoadOptions::default()).unwrap()
    }
}

fn params(strategy: Strategy) -> DecodingParams {
    DecodingParams {
        strategy,
        max_new_tokens: 6,
        ..DecodingParams::default()
    }
}

fn beams() -> Strategy {
    Strategy::Beam {
        beams: 2,
        length_penalty: 1.0,
    }
}

#[test]
fn a_turn_costs_its_own_tokens_only() {
    let llm = Folder::new().model();
    for strategy in [Strategy::Greedy, beams()] {
        let params = params(strategy);
        let go_on = |_: mpm_llm::decoding::Piece<'_>| ControlFlow::Continue(());
        let mut chat = LlamaChat::new(&llm.model, &llm.text, 512).unwrap();
        chat.add(ChatMessage::new("system", "Be brief."));
        let first = chat.ask("Hello, world!", &params, go_on).unwrap();
        assert_eq!(first.tokens_read, first.prompt_tokens);
        let second = chat.ask("图里有什么？", &params, go_on).unwrap();
        // All of the first turn but its answer is known. How much of that, depends on whether
        // the tokenizer cuts it as the model did; spaces at its beginning may become one token
        // with the last one before it.
        let new = second.prompt_tokens - first.prompt_tokens;
        assert!(second.tokens_read <= new + 1, "{second:?}");

        // The same without a memory.
        let mut fresh = LlamaChat::new(&llm.model, &llm.text, 512).unwrap();
        let messages = chat.messages().len();
        for message in &chat.messages()[..messages - 2] {
            fresh.add(message.clone());
        }
        let again = fresh.ask("图里有什么？", &params, go_on).unwrap();
        assert_eq!(again.prompt_tokens, second.prompt_tokens);
        assert_eq!(again.tokens_read, second.prompt_tokens);
        let ids = |answer: &mpm_llm::dialogue::ChatAnswer| -> Vec<i32> {
            let tokens = answer.generation.tokens.iter();
            tokens.map(|token| token.id).collect()
        };
        assert_eq!(ids(&again), ids(&second));
    }
}

#[test]
fn a_question_that_fails_leaves_the_conversation_as_it_was() {
    let llm = Folder::new().model();
    let mut chat = LlamaChat::new(&llm.model, &llm.text, 128).unwrap();
    let params = params(Strategy::Greedy);
    let go_on = |_: mpm_llm::decoding::Piece<'_>| ControlFlow::Continue(());
    chat.ask("a", &params, go_on).unwrap();
    let error = chat.ask("b".repeat(400), &params, go_on).unwrap_err();
    assert!(matches!(
        error,
        LlmError::QuestionTooLong { limit: 128, .. }
    ));
    assert_eq!(chat.messages().len(), 2);
    chat.ask("c", &params, go_on).unwrap();
}

#[test]
fn ends_are_those_of_the_first_file_that_has_some() {
    let folder = Folder::new();
    assert_eq!(folder.model().text.ends, [1, 2]);
    folder.write("generation_config.json", &json!({"temperature": 0.6}));
    assert_eq!(folder.model().text.ends, [0]);
    let mut config = folder.config();
    config["eos_token_id"] = Value::Null;
    folder.write("config.json", &config);
    assert_eq!(folder.model().text.ends, [1]);
    folder.write("generation_config.json", &json!({"eos_token_id": 99_999}));
    let error = folder.open(&LoadOptions::default()).unwrap_err();
    assert!(error.contains("generation_config.json"), "{error}");
}

#[test]
fn weights_are_quantized_while_they_are_loaded() {
    let options = LoadOptions {
        quantization: Some(QuantizationScheme::INT8),
        ..LoadOptions::default()
    };
    let llm = Folder::new().open(&options).unwrap();
    assert!(llm.model.model.embed_tokens.weight.float().is_none());
    let mut chat = LlamaChat::new(&llm.model, &llm.text, 128).unwrap();
    let answer = chat.ask("a", &params(beams()), |_| ControlFlow::Continue(()));
    answer.unwrap();
}

#[test]
fn tensors_that_files_have_in_vain_are_left_out() {
    let folder = Folder::new();
    let mut config = folder.config();
    config["tie_word_embeddings"] = true.into();
    folder.write("config.json", &config);
    let file = folder.path.join("model.safetensors");
    let bytes = fs::read(&file).unwrap();
    let frequencies = [0; 32];
    let write = |extra: &str| {
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let mut tensors: Vec<(String, TensorView<'_>)> = tensors.tensors();
        let view = TensorView::new(Dtype::F32, vec![8], &frequencies).unwrap();
        tensors.push((extra.to_owned(), view));
        serialize_to_file(tensors, None, &file).unwrap();
    };
    write("model.layers.1.self_attn.rotary_emb.inv_freq");
    assert!(folder.model().model.lm_head.is_none());
    write("model.layers.2.self_attn.rotary_emb.inv_freq");
    let error = folder.open(&LoadOptions::default()).unwrap_err();
    assert!(error.contains("model.layers.2"), "{error}");
}

#[test]
fn a_template_of_its_own_file_comes_first() {
    let folder = Folder::new();
    fs::write(folder.path.join("chat_template.jinja"), "{{ eos_token }}!").unwrap();
    let template = folder.model().text.chat_template.unwrap();
    let text = template.render(&[], &Default::default()).unwrap();
    assert_eq!(text, "<|end|>!");
    fs::remove_file(folder.path.join("chat_template.jinja")).unwrap();
    let several = json!({"chat_template": [
        {"name": "tool_use", "template": "tools"}, {"name": "default", "template": "plain"},
    ]});
    folder.write("tokenizer_config.json", &several);
    let template = folder.model().text.chat_template.unwrap();
    assert_eq!(template.render(&[], &Default::default()).unwrap(), "plain");

    folder.write("tokenizer_config.json", &json!({}));
    let llm = folder.model();
    assert!(matches!(
        LlamaChat::new(&llm.model, &llm.text, 64).err(),
        Some(LlmError::NoChatTemplate)
    ));
}

#[test]
fn what_is_wrong_is_named_with_its_file() {
    let broken = |name: &str, content: &str| {
        let folder = Folder::new();
        fs::write(folder.path.join(name), content).unwrap();
        folder.open(&LoadOptions::default()).unwrap_err()
    };
    for (name, content, expected) in [
        ("config.json", "{}", "config.json: missing field"),
        (
            "config.json",
            r#"{"model_type": "gpt2", "vocab_size": 1, "hidden_size": 1, "intermediate_size": 1,
                "num_hidden_layers": 1, "num_attention_heads": 1, "max_position_embeddings": 1}"#,
            "model_type = gpt2",
        ),
        (
            "tokenizer.json",
            "{}",
            "tokenizer.json: this is no tokenizer",
        ),
        (
            "tokenizer_config.json",
            r#"{"chat_template": "{% if"}"#,
            "tokenizer_config.json",
        ),
        ("chat_template.jinja", "{% if", "chat_template.jinja"),
        ("generation_config.json", "[", "generation_config.json"),
        ("model.safetensors", "no weights", "model.safetensors"),
    ] {
        let error = broken(name, content);
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let folder = Folder::new();
    fs::remove_file(folder.path.join("tokenizer.json")).unwrap();
    let error = folder.open(&LoadOptions::default()).unwrap_err();
    assert!(error.contains("no tokenizer.json"), "{error}");
}
