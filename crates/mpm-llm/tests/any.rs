//! A language model chosen by a configuration, and CPM-Bee's dialogues.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

use std::collections::BTreeMap;

use mpm_llm::{
    LanguageModel, LlmError,
    any::{AnyChat, AnyDialogue, AnyInput, AnyLlm, AnyLlmConfig, AnyTokenizer},
    cpm_bee::{CpmBeeConfig, CpmBeeDialogue, CpmBeeInput},
    dialogue::{Dialogue, DialogueTurn, PicturePlace},
    llama::{ChatTemplate, LlamaText, LlamaTokenizer},
    prompt::{Collator, PromptEncoder, PromptValue},
    tokenizer::{CpmBeeTokenizer, VocabularyBuilder},
};
use mpm_test_support::{TestBackend, own_cases};
use serde_json::{Value, json};

type B = TestBackend;

fn bee_tokenizer() -> CpmBeeTokenizer {
    let texts = [
        "what is it? a red cat, a dog < 2",
        "AI: User: context question",
    ];
    let vocabulary = VocabularyBuilder::new(160).build(texts).unwrap();
    CpmBeeTokenizer::new(vocabulary).unwrap()
}

fn bee_config(vocab_size: usize) -> AnyLlmConfig {
    CpmBeeConfig {
        vocab_size,
        dim_model: 16,
        num_heads: 2,
        dim_head: 8,
        dim_ff: 24,
        num_layers: 1,
        ..CpmBeeConfig::tiny()
    }
    .into()
}

fn llama_text() -> LlamaText {
    let case = &own_cases("l_tokenizer_letters")[0];
    let json = case.json["tokenizer"].to_string();
    let tokenizer = LlamaTokenizer::from_json(json.as_bytes(), case.size("/size")).unwrap();
    let template = "{% for m in messages %}{{ m.role ~ m.content ~ '<|end|>' }}{% endfor %}";
    LlamaText {
        ends: vec![tokenizer.id("<|end|>").unwrap()],
        chat_template: Some(ChatTemplate::new(template, BTreeMap::new()).unwrap()),
        tokenizer,
    }
}

fn llama_json(vocab_size: usize) -> Value {
    json!({
        "model_type": "qwen2", "vocab_size": vocab_size, "hidden_size": 32,
        "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 64, "torch_dtype": "bfloat16",
    })
}

fn llama_config(vocab_size: usize) -> AnyLlmConfig {
    serde_json::from_value(llama_json(vocab_size)).unwrap()
}

/// Both models with their tokenizers.
fn pairs() -> [(AnyLlm<B>, AnyTokenizer); 2] {
    let bee = bee_tokenizer();
    let llama = llama_text();
    let device = Default::default();
    [
        (
            bee_config(bee.vocab_size()).init(&device).unwrap(),
            AnyTokenizer::CpmBee(bee),
        ),
        (
            llama_config(llama.tokenizer.vocab_size())
                .init(&device)
                .unwrap(),
            AnyTokenizer::Llama(llama),
        ),
    ]
}

fn dialogue() -> Dialogue {
    Dialogue {
        picture: PicturePlace::Slots(3),
        turns: vec![DialogueTurn {
            question: "is 1 < 2?".to_owned(),
            answer: "a < b".to_owned(),
        }],
        question: "what is < it?".to_owned(),
        answer: "a red < cat".to_owned(),
    }
}

#[test]
fn configurations_survive_json() {
    let mut json = llama_json(301);
    let config: AnyLlmConfig = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_value(&config).unwrap(), json);
    assert_eq!([config.d_model(), config.d_ff()], [32, 48]);
    let larger = config.with_vocab_size(400);
    json["vocab_size"] = 400.into();
    assert_eq!(larger.vocab_size(), 400);
    assert_eq!(serde_json::to_value(&larger).unwrap(), json);
    assert_eq!(
        larger,
        serde_json::from_value::<AnyLlmConfig>(json).unwrap()
    );

    let config = bee_config(160);
    let json = serde_json::to_value(&config).unwrap();
    let again: AnyLlmConfig = serde_json::from_value(json).unwrap();
    assert_eq!(again, config);
    assert_eq!([again.num_layers(), again.vocab_size()], [1, 160]);
}

#[test]
fn fields_that_mean_nothing_to_cpm_bee_are_errors() {
    let mut json = serde_json::to_value(bee_config(160)).unwrap();
    json["num_layer"] = 3.into();
    let error = serde_json::from_value::<AnyLlmConfig>(json).unwrap_err();
    assert!(error.to_string().contains("num_layer"), "{error}");
    // What says `model_type` is read as a file of Hugging Face's.
    let error = serde_json::from_value::<AnyLlmConfig>(json!({"model_type": "gpt2"}));
    assert!(error.is_err());
}

#[test]
fn tokens_of_the_other_family_are_refused() {
    let [bee, llama] = pairs();
    let refused = |error: Option<LlmError>| {
        assert!(
            matches!(error, Some(LlmError::OtherFamily { .. })),
            "{error:?}"
        );
    };
    for ((model, tokenizer), (other_model, other)) in [(&bee, &llama), (&llama, &bee)] {
        let encoded = |tokenizer| AnyDialogue::new(tokenizer, &dialogue()).unwrap();
        refused(AnyDialogue::collate(tokenizer, vec![encoded(other)]).err());
        refused(AnyChat::new(model, other, 64).err());

        let own = AnyDialogue::collate(tokenizer, vec![encoded(tokenizer)]).unwrap();
        let foreign = AnyDialogue::collate(other, vec![encoded(other)]).unwrap();
        let embeddings = model.embed_input(&own.input).unwrap();
        let states = model.states(embeddings.clone(), &own.input, &mut |_, _| {});
        let states = states.unwrap();
        assert_eq!(states.dims()[2], model.d_model());
        refused(model.embed_input(&foreign.input).err());
        refused(
            model
                .states(embeddings, &foreign.input, &mut |_, _| {})
                .err(),
        );
        refused(
            model
                .next_token(states.squeeze_dim(0), &foreign.input)
                .err(),
        );
        refused(other_model.embed_input(&own.input).err());
    }
}

#[test]
fn a_dialogue_of_cpm_bee_is_its_map_of_texts() {
    let tokenizer = bee_tokenizer();
    let encoder = PromptEncoder::new(&tokenizer);
    let context = "User: is 1 << 2?\nAI: a << b\n";
    let (question, answer) = ("what is << it?", "a red << cat");
    let described = PromptValue::from([
        ("image", "a << dog"),
        ("context", context),
        ("question", question),
        ("<ans>", answer),
    ]);
    for (picture, prompt) in [
        (
            PicturePlace::Slots(3),
            PromptValue::chat(3, context, question, answer),
        ),
        (
            PicturePlace::Empty,
            PromptValue::chat(0, context, question, answer),
        ),
        (PicturePlace::Text("a < dog".to_owned()), described),
    ] {
        let has_slots = matches!(picture, PicturePlace::Slots(_));
        let dialogue = Dialogue {
            picture,
            ..dialogue()
        };
        let own = CpmBeeDialogue::new(&tokenizer, &dialogue).unwrap();
        let encoded = encoder.encode(&prompt).unwrap();
        assert_eq!(own.len(), encoded.len());
        let batch = CpmBeeDialogue::collate(&tokenizer, vec![own]).unwrap();
        let expected = Collator::new(&tokenizer, encoded.len());
        let expected = expected.collate(std::slice::from_ref(&encoded)).unwrap();
        let targets: Vec<i64> = expected.target.iter().map(|&id| id.into()).collect();
        assert_eq!(batch.targets, targets);
        assert!(targets.iter().any(|&target| target != -100));
        let bounds = match has_slots {
            true => expected.image_bound.clone(),
            false => vec![vec![]],
        };
        assert_eq!(batch.bounds, bounds);
        assert_eq!(batch.input, CpmBeeInput::from(expected));
    }
}

#[test]
fn dialogues_of_both_families_are_their_models_input() {
    for (model, tokenizer) in pairs() {
        let short = Dialogue {
            turns: Vec::new(),
            ..dialogue()
        };
        let dialogues = [short, dialogue()].map(|d| AnyDialogue::new(&tokenizer, &d).unwrap());
        let longest = dialogues[0].len().max(dialogues[1].len());
        let batch = AnyDialogue::collate(&tokenizer, dialogues.into()).unwrap();
        assert_eq!(batch.targets.len(), 2 * longest);
        assert!(batch.bounds.iter().all(|row| row[0].len() == 3));
        let shape = match &batch.input {
            AnyInput::CpmBee(input) => [input.batch, input.seq_len],
            AnyInput::Llama(batch) => [batch.input.batch, batch.input.seq_len],
        };
        assert_eq!(shape, [2, longest]);
        let embeddings = model.embed_input(&batch.input).unwrap();
        assert_eq!(embeddings.dims(), [2, longest, model.d_model()]);
        assert!(!tokenizer.words("a red cat").unwrap().is_empty());
        assert!(!tokenizer.files().unwrap().is_empty());
    }
}
