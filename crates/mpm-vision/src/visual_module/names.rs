//! How the names of published models lead to the parameters of a [`VisualModule`](super::VisualModule).

use mpm_core::weights::KeyMap;

use crate::connector::MlpConnectorConfig;

/// The names of LLaVA models of `transformers`, such as `llava-hf/llava-1.5-7b-hf`, whose language
/// model is read elsewhere.
///
/// | in the file | in the module |
/// |---|---|
/// | `vision_tower.vision_model.*`, in newer files `vision_tower.*` | `encoder.*` |
/// | `multi_modal_projector.linear_1.*` | `connector.layers.0.*` |
/// | `multi_modal_projector.linear_2.*` | `connector.layers.1.*` |
/// | `language_model.*` | nowhere |
/// | `vision_tower.vision_model.embeddings.position_ids` | nowhere: the numbers from 0, which older versions saved |
pub fn llava_keys() -> KeyMap {
    let keys = KeyMap::new()
        .rename("vision_tower.vision_model", "encoder")
        .rename("vision_tower", "encoder")
        .unused("language_model")
        .unused("vision_tower.vision_model.embeddings.position_ids");
    MlpConnectorConfig::default().transformers_keys(keys, "multi_modal_projector", "connector")
}

/// The names of MiniCPM-V 2.5 and 2.6, whose language model is read elsewhere.
///
/// | in the file | in the module |
/// |---|---|
/// | `vpm.*` | `encoder.*` |
/// | `resampler.*` | `connector.*` |
/// | `llm.*` | nowhere |
pub fn minicpm_v_keys() -> KeyMap {
    KeyMap::new()
        .rename("vpm", "encoder")
        .rename("resampler", "connector")
        .unused("llm")
}
