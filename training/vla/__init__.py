"""The nano vision-language-action policy: model, data pipeline and training loop."""
