//! A model that is shown pictures and asked.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use burn::tensor::{Tensor, backend::Backend};
use mpm_core::MpmBackend;
use mpm_data::picture::{Picture, PictureError};
use mpm_llm::decoding::DecodingParams;
use mpm_train::evaluate::perplexity::Perplexity;
use viscpm_chat::{Answer, ChatError, ChatModel, ChatSession};

use super::reference_loss;
use crate::LineError;

/// The level of the picture that says nothing: in the middle, where normalised pixels are 0.
const GREY: u8 = 128;

/// What the model is shown in place of a question's picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The picture itself.
    Picture,
    /// A plain grey one, to see what can be answered without looking.
    Grey,
}

/// A model that answers each question for itself.
#[derive(Debug)]
pub struct Respondent<B: Backend> {
    model: ChatModel<B>,
    params: DecodingParams,
    grey: Option<Tensor<B, 3>>,
    /// The last picture: many questions in a row are about one.
    last: Option<(PathBuf, Tensor<B, 3>)>,
}

impl<B: MpmBackend> Respondent<B> {
    /// A model, how it chooses its answers, and what it is shown.
    ///
    /// # Errors
    /// [`ChatError`] when the model's weights are broken.
    pub fn new(
        model: ChatModel<B>,
        params: DecodingParams,
        shown: Shown,
    ) -> Result<Self, ChatError> {
        let mut respondent = Self {
            model,
            params,
            grey: None,
            last: None,
        };
        if shown == Shown::Grey {
            respondent.grey = Some(respondent.encode(&grey()?)?);
        }
        Ok(respondent)
    }

    /// What the model sees of a picture, `[1, slots, d_llm]`.
    ///
    /// # Errors
    /// [`LineError::Picture`] for a file that is no picture, [`LineError::Ask`] for broken weights.
    pub fn look_at(&mut self, path: &Path) -> Result<Tensor<B, 3>, LineError> {
        if let Some(grey) = &self.grey {
            return Ok(grey.clone());
        }
        if let Some((last, features)) = &self.last
            && last == path
        {
            return Ok(features.clone());
        }
        let features = self.encode(&Picture::open(path)?)?;
        self.last = Some((path.to_owned(), features.clone()));
        Ok(features)
    }

    /// Answers a question in plain text about what [`look_at`](Self::look_at) has seen, or about
    /// nothing. `watch` may break the answer off.
    ///
    /// # Errors
    /// [`ChatError::EmptyQuestion`], and [`ChatError::Llm`] for a question that is too long.
    pub fn ask(
        &self,
        features: Option<Tensor<B, 3>>,
        question: &str,
        watch: &dyn Fn() -> ControlFlow<()>,
    ) -> Result<Answer, ChatError> {
        let mut session = ChatSession::new(&self.model)?;
        if let Some(features) = features {
            session.show_features(features);
        }
        session.ask(question, &self.params, |_| watch())
    }

    /// The loss of a given answer, see [`reference_loss`].
    ///
    /// # Errors
    /// [`LineError::Likelihood`].
    pub fn loss_of(
        &self,
        features: Option<Tensor<B, 3>>,
        question: &str,
        answer: &str,
    ) -> Result<Perplexity, LineError> {
        reference_loss(&self.model, features, question, answer).map_err(LineError::Likelihood)
    }

    fn encode(&self, picture: &Picture) -> Result<Tensor<B, 3>, ChatError> {
        let pixels = self.model.config.preprocessing.apply(picture);
        self.model.model.encode_pictures(&[pixels])
    }
}

/// Any size does: the model resizes what it sees.
fn grey() -> Result<Picture, ChatError> {
    let picture = Picture::from_rgb(1, 1, vec![GREY; 3]);
    picture.map_err(|source: PictureError| {
        ChatError::Picture(mpm_data::DataError::Picture {
            path: "grey".into(),
            source,
        })
    })
}
