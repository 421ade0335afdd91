"""Reading, writing and resampling audio, and the one definition of the mel spectrogram."""
