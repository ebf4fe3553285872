"""What was checked, and how it came out."""


class Checks:
    """The checks of one area, in order; each is a sentence that holds or does not."""

    def __init__(self, area):
        self.area = area
        self.lines = []
        self.passed = 0
        self.failed = 0

    def holds(self, sentence, outcome, otherwise=""):
        """Whether `outcome` is true; `otherwise` is what to print if not."""
        if outcome:
            self.passed += 1
            self.lines.append(f"ok    {self.area}: {sentence}")
        else:
            self.failed += 1
            reason = str(otherwise).strip().replace("\n", "\n      ")
            self.lines.append(f"FAIL  {self.area}: {sentence}: {reason}")

    def answers(self, sentence, answer, status, text=""):
        """Whether the answer has this status, and this text in its body."""
        as_expected = answer.status == status and text in answer.text
        self.holds(sentence, as_expected, f"{answer.status} {answer.text[:500]}, not {status} {text}")
