"""What a run will ask and cost: its policy is played with made-up answers, and its real prompts are rendered."""
