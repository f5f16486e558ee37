"""The head model ICT-FaceKit: its files, their conversion, and the arrays that everything else uses."""
