"""A page as its reader has it: tags, attributes and visible text."""

from html.parser import HTMLParser

HOSTILE = '<script>alert("x")</script>$x_$<img src=x onerror=alert(1)>'


class Page(HTMLParser):
    """Tags with their attributes, headings, and visible text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.tag = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tag = tag
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tag != "style":
            self.text.append(data)

    def all(self, tag):
        return [attrs for found, attrs in self.tags if found == tag]
