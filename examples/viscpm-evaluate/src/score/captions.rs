//! Figures of captions.

use mpm_train::evaluate::{
    Example, MetricError, Tokenizer,
    bleu::{coco_bleu, corpus_bleu},
    cider::cider,
    rouge::coco_rouge,
};
use serde::Serialize;

/// How near captions are to those of people. Which is which, is told in `docs/evaluation.md`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CaptionFigures {
    /// BLEU-1 to BLEU-4 of pycocoevalcap, `0.0..=1.0`.
    pub coco_bleu: [f64; 4],
    /// BLEU of sacrebleu, `0.0..=100.0`.
    pub sacrebleu: f64,
    /// ROUGE-L of pycocoevalcap, `0.0..=1.0`.
    pub rouge_l: f64,
    /// CIDEr-D, `0.0..=10.0`.
    pub cider_d: f64,
}

impl CaptionFigures {
    /// Compares captions in a language.
    ///
    /// # Errors
    /// [`MetricError`] without captions, or for one without references.
    pub fn of(examples: &[Example], language: &str) -> Result<Self, MetricError> {
        let tokenizer = Tokenizer::for_captions(language);
        // Sacrebleu's own: the one for captions knows no case and no marks.
        let with_marks = match tokenizer {
            Tokenizer::PennTreebank => Tokenizer::Mteval13a,
            characters => characters,
        };
        Ok(Self {
            coco_bleu: coco_bleu(examples, tokenizer)?.corpus,
            sacrebleu: corpus_bleu(examples, with_marks)?.score,
            rouge_l: coco_rouge(examples, tokenizer)?.mean,
            cider_d: cider(examples, tokenizer)?.mean,
        })
    }
}
