//! What is printed about results.

use std::path::Path;

use mpm_llm::bert::PromptRefusal;
use serde_json::{Value, json};
use viscpm_common::cli::{BoxError, failure::reasons, note, show};
use viscpm_paint::{FinishedPicture, PaintJob, Recipe, Verdict};

/// Prints what became of one task.
pub struct Reporter {
    /// Objects instead of names of files and messages.
    pub json: bool,
    /// The line of a batch that it is about.
    pub line: Option<usize>,
}

impl Reporter {
    /// A file was written.
    pub fn painted(
        &self,
        file: &Path,
        recipe: &Recipe,
        pictures: &[FinishedPicture],
        seconds: f64,
    ) -> Result<(), BoxError> {
        if !self.json {
            show(&format!("{}\n", file.display()))?;
            if let Some(reasons) = black_pictures(pictures) {
                note(&format!("refused: {reasons}. 图片未通过安全检查。\n"));
            }
            return Ok(());
        }
        let mut object = serde_json::to_value(recipe)?;
        object["file"] = json!(file.to_string_lossy());
        object["seconds"] = json!(seconds);
        if pictures.iter().any(|picture| picture.score.is_some()) {
            let scores: Vec<_> = pictures.iter().map(|picture| picture.score).collect();
            object["scores"] = json!(scores);
        }
        let black: Vec<Value> = pictures.iter().filter_map(report_of).collect();
        if !black.is_empty() {
            object["refused"] = json!({ "pictures": black });
        }
        self.print(object)
    }

    /// A prompt was refused.
    pub fn refused(&self, job: &PaintJob, refusal: &PromptRefusal) -> Result<(), BoxError> {
        if !self.json {
            note(&format!("refused: {refusal}. 描述未通过安全检查。\n"));
            return Ok(());
        }
        self.print(json!({
            "prompt": job.prompt,
            "seed": job.request.seed,
            "refused": { "prompt": refusal, "reason": refusal.to_string() },
        }))
    }

    /// Something went wrong.
    pub fn failed(&self, error: &BoxError) -> Result<(), BoxError> {
        self.print(json!({ "error": reasons(error.as_ref()).join(": ") }))
    }

    fn print(&self, mut object: Value) -> Result<(), BoxError> {
        if let Some(line) = self.line {
            object["line"] = json!(line);
        }
        Ok(show(&format!("{object}\n"))?)
    }
}

/// Which pictures are black and why, for people; `None` when all are shown.
pub fn black_pictures(pictures: &[FinishedPicture]) -> Option<String> {
    let reason = |picture: &FinishedPicture| {
        let number = picture.number;
        match &picture.verdict {
            Verdict::Shown => None,
            Verdict::BlackedOut(report) => Some(format!("picture {number} is black: {report}")),
            Verdict::StaysBlack => Some(format!("picture {number} was blacked out before")),
        }
    };
    let reasons: Vec<String> = pictures.iter().filter_map(reason).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// Why a picture is black, for programs.
fn report_of(picture: &FinishedPicture) -> Option<Value> {
    match &picture.verdict {
        Verdict::Shown => None,
        Verdict::BlackedOut(report) => Some(json!({
            "picture": picture.number,
            "reason": report.to_string(),
            "report": report,
        })),
        Verdict::StaysBlack => Some(json!({
            "picture": picture.number,
            "reason": "it was blacked out before",
        })),
    }
}
