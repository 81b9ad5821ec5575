-- What is counted besides the tokens there were: image tokens of prompts, and pieces. The columns of before hold nothing of
-- them; image holds image tokens of answers.
ALTER TABLE records ADD COLUMN image_input BIGINT NOT NULL DEFAULT 0;
ALTER TABLE records ADD COLUMN images BIGINT NOT NULL DEFAULT 0;
ALTER TABLE records ADD COLUMN audio_seconds BIGINT NOT NULL DEFAULT 0;
ALTER TABLE records ADD COLUMN characters BIGINT NOT NULL DEFAULT 0;
ALTER TABLE records ADD COLUMN search_units BIGINT NOT NULL DEFAULT 0;
