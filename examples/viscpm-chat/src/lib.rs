//! VisCPM-Chat: ask about a picture, in English or Chinese
