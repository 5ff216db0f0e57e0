/**
 * The task of the README's picture and animation: a project with a failing test, and the words of the
 * model. Its commands, patch and questions are real.
 */
import type { ModelScript } from "./model-server.ts";
import { applyPatch, exec, message, reasoning, reply } from "./reply.ts";

const FILES: Readonly<Record<string, string>> = {
  "cart.py": `from dataclasses import dataclass


@dataclass
class Item:
    name: str
    price: float
    quantity: int = 1


class Cart:
    def __init__(self, items):
        self.items = list(items)

    def subtotal(self):
        """Before any discount."""
        return sum(item.price for item in self.items)

    def total(self, discount=0.0):
        return round(self.subtotal() * (1 - discount), 2)
`,
  "test_cart.py": `import unittest

from cart import Cart, Item


class TestCart(unittest.TestCase):
    def test_empty(self):
        self.assertEqual(Cart([]).total(), 0)

    def test_quantity(self):
        self.assertEqual(Cart([Item("pen", 2.5, 3)]).subtotal(), 7.5)
`,
};

const TEST = "python3 -m unittest";

const PATCH = `*** Begin Patch
*** Update File: cart.py
@@
         """Before any discount."""
-        return sum(item.price for item in self.items)
+        return sum(item.price * item.quantity for item in self.items)
*** End Patch`;

const ANSWER = `The cart ignored **how many** of an item there are: \`subtotal()\` in \`cart.py:17\` added up prices alone.

| Test | Before | Now |
| --- | --- | --- |
| \`test_empty\` | passes | passes |
| \`test_quantity\` | 2.5 instead of 7.5 | **passes** |

\`\`\`python
return sum(item.price * item.quantity for item in self.items)
\`\`\`

\`total()\` uses \`subtotal()\`, so its discounts are right now, too.`;

const spoken = { pieces: 12, pauseMs: 40 };

/** Tests, patches, tests again and explains. One call a time, so that one question waits at a time. */
const script: ModelScript = (request) => {
  switch (request.outputsSinceUser().length) {
    case 0:
      return reply(
        reasoning("**Finding the failing test**\n\nFirst the tests, then the code."),
        message("I run the tests first.", spoken),
        exec(TEST),
      );
    case 1:
      return reply(
        message("The quantity is never used. I fix that, and test again.", spoken),
        applyPatch(PATCH),
      );
    case 2:
      return reply(exec(TEST));
    default:
      return reply(message(ANSWER, { pieces: 60, pauseMs: 25 }));
  }
};

/** The user's words, the project's files by name, and the model's words. */
export const cartTask = {
  query: "One test fails. Find out why, and fix it.",
  files: FILES,
  script,
};
