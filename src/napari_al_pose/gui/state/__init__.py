"""What the window knows: each part is the only writer of what it holds, none knows a widget."""
