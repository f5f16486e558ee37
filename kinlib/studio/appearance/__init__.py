"""What a life and a photographer add to a genome: hair style, beard, clothes, expression, pose, light."""
