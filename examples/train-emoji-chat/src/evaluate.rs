use crate::{BoxError, recipe::Recipe};
use mpm_core::{MpmBackend, backend::BackendTask};
use mpm_data::emoji::EmojiSet;

#[derive(clap::Args)]
pub struct Evaluate {}
pub struct Task;
impl Evaluate {
    pub fn task(self, _: Recipe, _: &'static EmojiSet) -> Task { Task }
}
impl BackendTask for Task {
    type Output = Result<(), BoxError>;
    fn run<B: MpmBackend>(self, _: B::Device) -> Self::Output { Ok(()) }
}
